import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import { Answers } from '../../bridge/answers.ts'
import { type Tracer } from '../../bridge/trace.ts'
import { Tracker } from '../../bridge/track.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { realClock } from '../../lib/clock.ts'
import { gapsSchema, journalSchema, type JournalBooks } from '../../schemas/books.ts'
import { type Answer } from '../../schemas/thread.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openRows } from '../helpers/bridge.ts'
import { append, incoming, openTestInbox, openTestReader, testInboxDir } from '../helpers/inbox.ts'
import { createTestLog, type LogLine } from '../helpers/log.ts'

const gatewayId = 'test-00000001'
const dev1 = 'dev-1' as DeviceId

interface TestAnswers {
  readonly answers: Answers
  readonly inbox: Inbox
  readonly tracker: Tracker
  readonly lines: readonly LogLine[]
}

/** A tracer whose answer a test holds. */
function heldTracer (): { tracer: Tracer, asked: number[], let (): void, fail (error: Error): void } {
  const asked: number[] = []
  const ends: Array<{ resolve (value: object): void, reject (error: Error): void }> = []
  const trace = async ({ seq }: { seq: number }): Promise<object> => await new Promise((resolve, reject) => {
    asked.push(seq)
    ends.push({ resolve, reject })
  })
  return { tracer: { trace } as unknown as Tracer, asked, let: () => ends.shift()!.resolve({}), fail: error => ends.shift()!.reject(error) }
}

async function open (t: Test, { tracer } = heldTracer()): Promise<TestAnswers> {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const tracker = new Tracker({ limits: { maxDevices: 10, maxBoots: 4, maxGaps: 64 }, clock: realClock, counters: { forgottenDevices: 0, forgottenBoots: 0, forgottenIntervals: 0 } })
  const { log, lines } = createTestLog()
  return { answers: new Answers({ reader: openTestReader(t, dir), tracker, tracer, gatewayId, clock: realClock, log }), inbox, tracker, lines }
}

const traceOf = (seq: number) => ({ kind: 'trace', deviceId: dev1, boot: 7, seq }) as const
const jsonOf = (answer: Answer): unknown => answer.ok ? JSON.parse(answer.json) : answer

t.test('the journal: what is not settled, beside the counters', async t => {
  const { answers, inbox } = await open(t)
  for (const readings of [2, 3]) await append(inbox, incoming({ readings }))
  const journal = jsonOf(await answers.answer({ kind: 'journal' })) as JournalBooks
  t.ok(Value.Check(journalSchema, journal))
  t.match(journal, { gateway: gatewayId, next: 3, deliveries: 2, unsettled: [[1, 2]], devices: [{ device: 'dev-1', received: 5, pending: 5, journal: 5 }] })
})

t.test('the gaps', async t => {
  const { answers, tracker } = await open(t)
  tracker.settled(dev1, openRows(2), null)
  tracker.settled(dev1, openRows(2, { seq: 5 }), null)
  const gaps = jsonOf(await answers.answer({ kind: 'gaps', deviceId: null }))
  t.ok(Value.Check(gapsSchema, gaps))
  t.match(gaps, { gaps: [{ device: 'dev-1', boot: 7, from: 2, to: 4, closedAt: null }] })
  t.match(jsonOf(await answers.answer({ kind: 'gaps', deviceId: 'dev-2' as DeviceId })), { gaps: [] })
})

t.test('one question is answered at a time; when too many wait the next one is refused', async t => {
  const held = heldTracer()
  const { answers } = await open(t, held)
  const asked = Array.from({ length: 9 }, async (_, seq) => await answers.answer(traceOf(seq)))
  t.match(await asked[8], { ok: false, code: 'ISO_BRIDGE_BUSY' })
  for (let seq = 0; seq < 8; seq++) {
    while (held.asked.length <= seq) await realClock.sleep(1)
    t.same(held.asked, Array.from({ length: seq + 1 }, (_, n) => n))
    held.let()
    t.match(await asked[seq], { ok: true })
  }
})

t.test('a bug in one answer ends that answer, and is logged', async t => {
  const held = heldTracer()
  const { answers, lines } = await open(t, held)
  const first = answers.answer(traceOf(1))
  while (held.asked.length === 0) await realClock.sleep(1)
  held.fail(new TypeError('x is not a function'))
  t.match(await first, { ok: false, code: 'ISO_HTTP_FAILED' })
  t.match(lines, [{ msg: 'a question could not be answered', err: { message: 'x is not a function' } }])
  const second = answers.answer(traceOf(2))
  while (held.asked.length === 1) await realClock.sleep(1)
  held.let()
  t.match(await second, { ok: true })
})

t.test('closing gives up what waits, and resolves when nothing is looked at any more', async t => {
  const held = heldTracer()
  const { answers } = await open(t, held)
  const asked = [1, 2].map(async seq => await answers.answer(traceOf(seq)))
  while (held.asked.length === 0) await realClock.sleep(1)
  const closed = answers.close()
  held.let()
  await closed
  t.match(await Promise.all(asked), [{ ok: true }, { ok: false, code: 'ISO_BRIDGE_AWAY' }])
  t.match(await answers.answer(traceOf(3)), { ok: false, code: 'ISO_BRIDGE_AWAY' })
})
