import { once } from 'node:events'
import { realClock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { Topics } from '../../schemas/topics.ts'
import { startFleet } from './fleet.ts'
import { type FleetPart, type PartReport } from './processes.ts'

// A process with a part of a fleet: it gets the part, tells how it stands, and ends at 'close' or with its parent.

const reportMs = 500

// A terminal's Ctrl-C and systemd's SIGTERM reach it as well as its parent, which decides.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

const [part] = await once(process, 'message') as [FleetPart]
const { topicRoot, logLevel, ...options } = part
const fleet = startFleet({ ...options, topics: new Topics(topicRoot), clock: realClock, log: createLog(logLevel) })
const reporting = setInterval(() => report(false), reportMs)
await Promise.race([once(process, 'message'), once(process, 'disconnect'), fleet.done])
await fleet.close()
clearInterval(reporting)
report(true)
if (process.connected) process.disconnect()

function report (isOver: boolean): void {
  const message: PartReport = { stats: fleet.stats, isOver }
  if (process.connected) process.send!(message)
}
