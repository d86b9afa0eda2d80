import { type Records } from './disk.ts'
import { decodeRecord, type IncomingHead, type MessageHead, type QueuedHead, type SessionHead } from './records.ts'
import { Session, type Message } from './session.ts'
import { type Loaded } from './sessions.ts'

/** Makes sessions of their records again. The disk has the state of one moment, so each place in a queue has its session and its message. */
export function loadSessions (records: Records): Loaded {
  const next = { session: 1, incoming: 1, message: 1, queued: 1 }
  const sessions = new Map<number, Session>()
  for (const [number, bytes] of records.sessions) {
    const { head: { clientId, subscriptions, lastSeenAt, dropped } } = decodeRecord<SessionHead>(bytes)
    const session = new Session(number, clientId)
    for (const [filter, qos] of subscriptions) session.subscriptions.set(filter, qos)
    session.lastSeenAt = lastSeenAt
    session.dropped = dropped
    sessions.set(number, session)
    next.session = number + 1
  }
  for (const [number, bytes] of records.incoming) {
    const { session, id } = decodeRecord<IncomingHead>(bytes).head
    sessions.get(session)?.incoming.set(id, number)
    next.incoming = number + 1
  }
  const messages = new Map<number, Message>()
  for (const [number, bytes] of records.messages) {
    const { head: { topic }, payload } = decodeRecord<MessageHead>(bytes)
    messages.set(number, { number, topic, payload, places: 0 })
    next.message = number + 1
  }
  for (const [number, bytes] of records.queued) {
    const { head } = decodeRecord<QueuedHead>(bytes)
    const message = messages.get(head.message)
    const session = sessions.get(head.session)
    next.queued = number + 1
    if (message === undefined || session === undefined) continue
    message.places++
    session.add({ number, message, qos: head.qos, retain: head.retain, id: head.id, released: head.released })
  }
  return { sessions: [...sessions.values()], retained: records.retained, wills: records.wills, next }
}
