import t from 'tap'
import { ageText, bytesText, failWith } from '../../../cli/doctor/finding.ts'
import { IsobarError } from '../../../lib/errors.ts'

t.test('what a part would throw is a failure with its code and what to do', async t => {
  t.same(failWith('inbox', new IsobarError('ISO_DATA_LOCKED', { detail: '/data' })), {
    check: 'inbox',
    state: 'fail',
    text: 'another gateway uses this data folder: /data',
    advice: 'Stop the other gateway, or give this one a folder of its own with ISOBAR_DATA.',
    code: 'ISO_DATA_LOCKED'
  })
  t.match(failWith('clock', new Error('it broke')), { state: 'fail', text: 'it broke', code: null, advice: /report/ })
})

t.test('sizes and ages have units that fit', async t => {
  t.same([0, 999, 1000, 64_000, 1_536_000_000, 2e15].map(bytesText), ['0 B', '999 B', '1 kB', '64 kB', '1.54 GB', '2000 TB'])
  t.same([-5, 0, 119_000, 120_000, 7_200_000, 172_800_000, 40 * 86_400_000].map(ageText), ['0 s', '0 s', '119 s', '2 min', '2 h', '2 d', '40 d'])
})
