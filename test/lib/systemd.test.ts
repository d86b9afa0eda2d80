import t from 'tap'
import { isSupervised, openSupervision } from '../../lib/systemd.ts'
import { createTestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'

t.test('systemd is told that the process is ready, that it lives as long as it does its work, and that it stops', async t => {
  const clock = createTestClock()
  const told: Array<readonly string[]> = []
  let alive = true
  const supervision = openSupervision({ isAlive: () => alive, status: () => 'fine', clock, log: createTestLog('silent').log, env: { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '120000000' }, notify: async args => { told.push(args) } })
  await clock.advance(130_000)
  t.same(told, [['--ready', '--status=fine'], ['WATCHDOG=1', '--status=fine'], ['WATCHDOG=1', '--status=fine']])
  alive = false
  await clock.advance(130_000)
  t.equal(told.length, 3, 'the watchdog is left to bark')
  await supervision.close()
  t.same(told.at(-1), ['STOPPING=1'])
})

t.test('where systemd does not ask nothing is told; a notification that fails is a warning', async t => {
  const { log, lines } = createTestLog('warn')
  const notify = async (): Promise<void> => { throw new Error('no systemd-notify') }
  const parts = { isAlive: () => true, status: () => '', clock: createTestClock(), log, notify }
  await openSupervision({ ...parts, env: {} }).close()
  t.same(lines, [])
  await openSupervision({ ...parts, env: { NOTIFY_SOCKET: '/run/x' } }).close()
  t.ok(lines.length > 0)
  t.notOk(isSupervised({}))
  t.ok(isSupervised({ INVOCATION_ID: 'abc' }))
})
