import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Rejection } from '../../../broker/rejection.ts'
import { openSessions } from '../../../broker/sessions/open.ts'
import { type Session } from '../../../broker/sessions/session.ts'
import { type SessionLimits, type Sessions } from '../../../broker/sessions/sessions.ts'
import { type Clock } from '../../../lib/clock.ts'
import { createLog } from '../../../lib/log.ts'
import { defaultLimits } from '../../helpers/broker.ts'
import { createTestClock } from '../../helpers/clock.ts'

interface TestSessions {
  readonly sessions: Sessions
  readonly refused: Array<Omit<Rejection, 'at'>>
  /** Closes it in order, and opens it again. */
  reopen (): Promise<TestSessions>
}

async function open (t: Pick<Test, 'teardown'>, limits: Partial<SessionLimits> = {}, clock: Clock = createTestClock()): Promise<TestSessions> {
  const dir = await mkdtemp(join(tmpdir(), 'isobar-sessions-'))
  t.teardown(async () => await rm(dir, { recursive: true, force: true }))
  return await openIn(t, dir, limits, clock)
}

async function openIn (t: Pick<Test, 'teardown'>, dir: string, limits: Partial<SessionLimits>, clock: Clock): Promise<TestSessions> {
  const refused: Array<Omit<Rejection, 'at'>> = []
  const { sessions, close } = await openSessions(dir, { limits: { ...defaultLimits, ...limits }, clock, log: createLog('silent'), refuse: rejection => { refused.push(rejection) } })
  let open = true
  const end = async (): Promise<void> => {
    if (open) await close()
    open = false
  }
  t.teardown(end)
  return {
    sessions,
    refused,
    reopen: async () => {
      await end()
      return await openIn(t, dir, limits, clock)
    }
  }
}

let counter = 0

function publish (sessions: Sessions, topic: string, payload: string, qos: 1 | 2 = 1): void {
  sessions.enqueue({ topic, payload: Buffer.from(payload), qos, retain: false }, ++counter, sessions.subscribed(topic))
}

function queueOf (session: Session): string[] {
  return [...session.takeAll()].map(({ message, qos, id, released }) => `${message.payload.toString()} ${qos} ${id === 0 ? 'waits' : released ? 'released' : 'sent'}`)
}

t.test('a session is after a restart what it was: subscriptions, queue, packet ids, ids of incoming QoS 2', async t => {
  const first = await open(t, { maxInflightOut: 2 })
  const { session } = first.sessions.resume('app')
  first.sessions.subscribe(session, 'a/#', 1)
  first.sessions.subscribe(session, 'a/b', 2)
  first.sessions.subscribe(session, 'gone', 1)
  first.sessions.unsubscribe(session, 'gone')
  for (const [n, qos] of ([2, 2, 1, 2, 1] as const).entries()) publish(first.sessions, n === 4 ? 'a/c' : 'a/b', `m${n}`, qos)
  const [one, two] = first.sessions.admit(session)
  first.sessions.received(session, one!.id)
  for (const id of [7, 8]) {
    first.sessions.noteIncoming(session, id)
    first.sessions.keepIncoming(session, id)
  }
  first.sessions.forgetIncoming(session, 8)
  first.sessions.noteIncoming(session, 9) // its message was not published yet
  const { sessions } = await first.reopen()
  const { session: again, isNew } = sessions.resume('app')
  t.equal(isNew, false)
  t.same([...again.subscriptions], [['a/#', 1], ['a/b', 2]])
  t.same([...again.inFlight.keys()], [one!.id, two!.id])
  t.same([...again.incoming.keys()], [7])
  t.match(sessions.stats(), { sessions: 1, queuedMessages: 5 })
  publish(sessions, 'a/b', 'm5', 2)
  t.same(queueOf(again), ['m0 2 released', 'm1 2 sent', 'm2 1 waits', 'm3 2 waits', 'm4 1 waits', 'm5 2 waits'])
})

t.test('what was acknowledged is gone after a restart, and so is a session that was ended; nothing of them stays on disk', async t => {
  const first = await open(t)
  const { session } = first.sessions.resume('app')
  first.sessions.subscribe(session, '#', 1)
  first.sessions.subscribe(first.sessions.resume('other').session, '#', 1)
  publish(first.sessions, 'x', 'm0')
  publish(first.sessions, 'x', 'm1')
  await new Promise<void>(resolve => first.sessions.flushed(resolve))
  for (const { id } of first.sessions.admit(session)) t.ok(first.sessions.acknowledge(session, id))
  t.equal(first.sessions.acknowledge(session, 1000), false)
  const second = await first.reopen()
  t.match(second.sessions.stats(), { sessions: 2, queuedMessages: 2 })
  t.same([...second.sessions.get('app')!.takeAll()], [])
  second.sessions.discard('app')
  second.sessions.discard('other')
  const { sessions } = await second.reopen()
  t.match(sessions.stats(), { sessions: 0, queuedMessages: 0, queuedBytes: 0 })
  t.equal(sessions.resume('other').isNew, true)
})

t.test('what waits for one session is limited in messages and bytes: the oldest goes, what is in flight stays, and it is told once', async t => {
  const { sessions, refused } = await open(t, { maxQueued: 3, maxInflightOut: 1, maxQueuedBytes: 10_000 })
  const { session } = sessions.resume('app')
  sessions.subscribe(session, '#', 1)
  for (let n = 0; n < 3; n++) publish(sessions, 'x', `m${n}`)
  sessions.admit(session)
  for (let n = 3; n < 6; n++) publish(sessions, 'x', `m${n}`)
  t.equal(sessions.stats().dropped, 2)
  t.match(refused, [{ rule: 'queueFull', clientId: 'app' }])
  t.equal(refused.length, 1)
  publish(sessions, 'x', 'y'.repeat(20_000))
  t.same(queueOf(session).map(text => text.slice(0, 10)), ['m0 1 sent', 'yyyyyyyyyy'], 'the newest is kept, whatever its length')
})

t.test('what waits for all sessions is limited: who gets something more drops its own oldest', async t => {
  const { sessions } = await open(t, { maxQueuedTotalBytes: 2_600 })
  const [big, small] = ['big', 'small'].map(id => sessions.resume(id).session)
  sessions.subscribe(big!, 'big', 1)
  sessions.subscribe(small!, 'small', 1)
  for (let n = 0; n < 20; n++) publish(sessions, 'big', 'y'.repeat(400))
  publish(sessions, 'small', 'm0')
  publish(sessions, 'small', 'm1')
  t.same(queueOf(small!), ['m1 1 waits'])
  t.ok(sessions.stats().queuedBytes < 2_800)
})

t.test('a session ends when its client was away for too long, over restarts too; a connected one does not', async t => {
  const clock = createTestClock()
  const first = await open(t, { sessionExpiryMs: 10_000 }, clock)
  const [away, here] = ['away', 'here'].map(id => first.sessions.resume(id).session)
  first.sessions.leave(away!)
  await clock.advance(9_000)
  const second = await first.reopen()
  await clock.advance(1_500)
  second.sessions.sweep()
  t.same([second.sessions.get('away'), second.sessions.get('here')?.clientId], [undefined, here!.clientId])
  t.equal(second.sessions.stats().expired, 1)
  await clock.advance(9_000)
  second.sessions.sweep()
  t.equal(second.sessions.get('here'), undefined, 'that it was connected when the process ended is ten seconds ago')
})

t.test('no more sessions than the limit; who has one keeps it', async t => {
  const { sessions } = await open(t, { maxSessions: 1 })
  sessions.resume('app')
  t.same([sessions.mayOpen('app'), sessions.mayOpen('other')], [true, false])
})

t.test('retained messages are there after a restart, the newest of each topic; fleeting ones are not', async t => {
  const first = await open(t)
  const retain = ({ sessions }: TestSessions, topic: string, payload: string, outlives = true): void => sessions.retain({ topic, payload: Buffer.from(payload), qos: 1, retain: true }, { outlives, clientId: 'dev' })
  retain(first, 'a/state', 'online')
  retain(first, 'a/state', 'offline')
  retain(first, 'b/state', 'online')
  retain(first, 'b/state', '')
  retain(first, 'a/last', '{}', false)
  retain(first, 'c/state', 'was on disk')
  retain(first, 'c/state', 'fleeting', false)
  const payloads = ({ sessions }: TestSessions): string[] => [...sessions.retained.match(['#'])].map(({ payload }) => payload.toString())
  t.same(payloads(first), ['offline', '{}', 'fleeting'])
  const second = await first.reopen()
  t.same(payloads(second), ['offline'])
  retain(second, 'd', 'new')
  t.same(payloads(await second.reopen()), ['offline', 'new'])
})

t.test('retained messages are limited in number and bytes; a known topic may change, and what has no room takes the older one away', async t => {
  const { sessions, refused } = await open(t, { maxRetained: 2, maxRetainedBytes: 1_000 })
  const retain = (topic: string, payload: string): void => sessions.retain({ topic, payload: Buffer.from(payload), qos: 0, retain: true }, { outlives: true, clientId: 'dev' })
  for (const topic of ['a', 'b', 'c']) retain(topic, 'x')
  retain('a', 'y')
  t.same([...sessions.retained.match(['#'])].map(({ topic, payload }) => `${topic} ${payload.toString()}`), ['a y', 'b x'])
  retain('b', 'z'.repeat(900))
  t.same([...sessions.retained.match(['#'])].map(({ topic }) => topic), ['a'])
  t.match(refused, [{ rule: 'retainedFull', clientId: 'dev', detail: /: c$/ }, { rule: 'retainedFull', detail: /: b$/ }])
  t.match(sessions.stats(), { retainedMessages: 1, refusedRetained: 2 })
})

t.test('packet ids go round without one that is in flight [MQTT-2.3.1-4]', async t => {
  const { sessions } = await open(t, { maxInflightOut: 2 })
  const { session } = sessions.resume('app')
  sessions.subscribe(session, '#', 1)
  publish(sessions, 'x', 'kept')
  const [kept] = sessions.admit(session)
  let last = kept!.id
  for (let n = 0; n < 70_000; n++) {
    publish(sessions, 'x', '')
    const { id } = sessions.admit(session)[0]!
    if (id === kept!.id || id === 0 || id > 65_535 || id === last) t.fail(`id ${id}`)
    sessions.acknowledge(session, id)
    last = id
  }
})
