import { parentPort, workerData } from 'node:worker_threads'
import { openInboxReader } from '../inbox/reader.ts'
import { realClock as clock } from '../lib/clock.ts'
import { createLog } from '../lib/log.ts'
import { encodeStored } from '../schemas/stored.ts'
import { buffersOf, type BridgeThreadData, type FromBridge, type ToBridge } from '../schemas/thread.ts'
import { Answers } from './answers.ts'
import { every } from './every.ts'
import { InboxSource } from './inbox-source.ts'
import { BridgeRun } from './run.ts'
import { Tracer } from './trace.ts'

// The entry of the bridge's thread: inbox -> database, and a word to the main thread about what is settled and how it goes.
// It ends after `drain`, or with an error that is a bug; either way what is not settled is read again at the next start.

/** What has changed of the devices' stored ranges is told so often. */
const storedEveryMs = 1_000
/** The status is looked at so often; it is posted when it has changed, and every fourth time. */
const lookEveryMs = 250

const port = parentPort!
const data = workerData as BridgeThreadData
const post = (message: FromBridge, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)
const stop = new AbortController()

const reader = openInboxReader(data.inboxDir)
const source = new InboxSource({ reader, post: (id, settled) => post({ kind: 'settle', id, settled }, buffersOf(settled)), limits: data.settings.limits, clock })
const log = createLog(data.logLevel).child({ part: 'bridge' })
const bridge = new BridgeRun({ ...data, source, inbox: reader, freshFrom: reader.next(), counters: reader.counters, tell: notices => post({ kind: 'notices', notices }), clock, log })
const tracer = new Tracer({
  reader,
  recent: bridge.recent,
  isTaken: number => bridge.isTaken(number),
  database: () => bridge.database,
  cause: () => bridge.status().state === 'open' ? null : bridge.status().cause,
  gatewayId: data.gatewayId,
  clock
})
const answers = new Answers({ reader, tracker: bridge.tracker, tracer, gatewayId: data.gatewayId, clock, log })

port.on('message', (message: ToBridge) => {
  switch (message.kind) {
    case 'appended': return source.appended(message.next)
    case 'settled': return source.confirmed(message.id)
    case 'ask':
      void answers.answer(message.question).then(answer => post({ kind: 'answer', id: message.id, answer }))
      return
    case 'drain': return stop.abort()
    default: message satisfies never
  }
})

const ended = new AbortController()
await Promise.all([
  bridge.run(stop.signal, () => post({ kind: 'ready' })).finally(() => ended.abort()),
  every(lookEveryMs, postStatus(), { clock, signal: ended.signal }),
  every(storedEveryMs, postStored, { clock, signal: ended.signal })
])
postStored()
await answers.close()
await reader.close()
port.close()

function postStatus (): () => void {
  let posted = ''
  let looks = 0
  return () => {
    const status = bridge.status()
    const condition = JSON.stringify([status.state, status.cause])
    if (condition === posted && ++looks % 4 !== 0) return
    posted = condition
    post({ kind: 'status', status })
  }
}

function postStored (): void {
  const changes = bridge.tracker.changes()
  if (changes.length > 0) post({ kind: 'stored', changes: { devices: changes.map(([deviceId]) => deviceId), payloads: changes.map(([, ranges]) => encodeStored(ranges)) } })
}
