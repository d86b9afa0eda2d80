import t from 'tap'
import { clockFinding, nodeFinding, openFilesFinding } from '../../../cli/doctor/machine.ts'

t.test('a Node older than package.json asks for has failed', async t => {
  for (const version of ['20.19.0', '20.20.1', '22.0.0', '100.1.0']) t.match(nodeFinding(version, '20.19'), { state: 'ok' }, version)
  for (const version of ['20.18.9', '18.20.0', '9.99.0']) t.match(nodeFinding(version, '20.19'), { state: 'fail', advice: 'Install Node 20.19 or later.' }, version)
})

t.test('few open files mean few clients', async t => {
  const limits = (soft: string): string => `Limit                     Soft Limit           Hard Limit           Units\nMax processes             5                    5                    processes\nMax open files            ${soft}                 20000                files\n`
  t.match(openFilesFinding(limits('20000')), { state: 'ok' })
  t.match(openFilesFinding(limits('unlimited')), { state: 'ok' })
  t.match(openFilesFinding(limits('1024')), { state: 'warn', text: /1024 are allowed, so about 960 clients/, advice: /LimitNOFILE/ })
  t.match(openFilesFinding(limits('64')), { state: 'fail', text: /about 0 clients/ })
})

t.test('a clock is wrong before the program was made, or before the newest reading was received', async t => {
  const now = 1_790_000_000_000
  const facts = { now, builtAt: now - 86_400_000, newestAt: null, synchronised: null }
  t.match(clockFinding(facts), { state: 'ok', text: /plausible/ })
  t.match(clockFinding({ ...facts, synchronised: true }), { state: 'ok', text: '2026-09-21T14:13:20.000Z, synchronised' })
  t.match(clockFinding({ ...facts, synchronised: false }), { state: 'warn', advice: /time server/ })
  t.match(clockFinding({ ...facts, newestAt: now + 30_000 }), { state: 'ok' }, 'half a minute is nothing')
  t.match(clockFinding({ ...facts, newestAt: now + 120_000 }), { state: 'fail', text: /before the newest reading was received/ })
  t.match(clockFinding({ ...facts, now: 0, synchronised: true }), { state: 'fail', text: /^1970-.*before this program was made/ })
})
