import t from 'tap'
import { clockQuality } from '../../device/time-quality.ts'

t.test('a clock is synchronised when timesyncd says so or somebody vouches for it, and unknown otherwise', async t => {
  const dir = t.testdir({ synchronized: '' })
  t.equal(clockQuality({ trusted: false, file: `${dir}/synchronized` }), 0)
  t.equal(clockQuality({ trusted: false, file: `${dir}/absent` }), 2)
  t.equal(clockQuality({ trusted: true, file: `${dir}/absent` }), 0)
})
