import { readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Fleet } from '../../../device/fleet/fleet.ts'
import { startProcesses } from '../../../device/fleet/processes.ts'
import { realClock } from '../../../lib/clock.ts'
import { openDeviceBroker, type DeviceBroker } from '../../helpers/device-broker.ts'

function openProcesses (t: Test, { url }: DeviceBroker): Fleet {
  const fleet = startProcesses({ brokerUrl: url, topicRoot: 'iot/v1', devices: 7, prefix: 'hall', intervalMs: 50, batch: 1, seed: 1, maxQueued: 10_000, logLevel: 'silent' }, 3)
  t.teardown(async () => { await fleet.close().catch(() => {}) }) // rejects where the test has ended a process
  return fleet
}

/** Processes whose parent is this one. */
function children (): readonly number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]) === process.pid
    } catch {
      return false // gone meanwhile
    }
  })
}

t.test('each device of the fleet runs in one of the processes, and their sums are those of the fleet', async t => {
  const broker = await openDeviceBroker(t)
  const fleet = openProcesses(t, broker)
  while (fleet.stats.connected < 7 || fleet.stats.acknowledged < 20) await realClock.sleep(20)
  await fleet.close()
  await fleet.done
  t.same(broker.connects.map(({ clientId }) => clientId).toSorted(), [1, 2, 3, 4, 5, 6, 7].map(n => `hall-${n}`))
  t.match(fleet.stats, { connected: 0, waiting: 0, dropped: 0, acknowledged: fleet.stats.readings })
  for (const id of [1, 7]) t.same(broker.published.filter(({ topic }) => topic === `iot/v1/hall-${id}/state`).map(({ payload }) => payload.toString()), ['online', 'offline'])
})

t.test('a process that dies is told, and the others are ended', { skip: process.platform !== 'linux' && 'it reads /proc' }, async t => {
  const broker = await openDeviceBroker(t)
  const before = children()
  const fleet = openProcesses(t, broker)
  const done = fleet.done.catch((error: unknown) => error)
  while (fleet.stats.connected < 7) await realClock.sleep(20)
  const parts = children().filter(pid => !before.includes(pid))
  t.equal(parts.length, 3)
  process.kill(parts[0]!, 'SIGKILL')
  t.match(await done, { message: 'a process of the fleet ended with SIGKILL' })
  await t.rejects(fleet.close())
  while (children().some(pid => parts.includes(pid))) await realClock.sleep(20)
})
