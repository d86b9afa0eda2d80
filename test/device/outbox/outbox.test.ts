import t from 'tap'
import { type MadeReading } from '../../../device/outbox/entry.ts'
import { Outbox, type Message, type OutboxOptions } from '../../../device/outbox/outbox.ts'
import { settledRanges } from '../../../device/outbox/settled.ts'
import { decodeTelemetry } from '../../../schemas/telemetry-decode.ts'
import { status, type Telemetry } from '../../../schemas/telemetry.ts'
import { createTestClock } from '../../helpers/clock.ts'

// The outbox in RAM alone; journal.test.ts has it with its log.

function reading (seq: number, over: Partial<MadeReading> = {}): MadeReading {
  return { boot: 7, seq, ts: 1_790_000_000_000 + seq * 1000, temperatureDeciC: 210, pressurePa: 98_800, clock: 0, status: 0, ...over }
}

function openOutbox (over: Partial<OutboxOptions> = {}, made: readonly MadeReading[] = []): Outbox {
  const outbox = new Outbox({ batch: 1, maxReadings: 10_000, clock: createTestClock(), ...over })
  for (const one of made) outbox.push(one)
  return outbox
}

const run = (count: number, from = 0): MadeReading[] => Array.from({ length: count }, (_, index) => reading(from + index))

function decode (message: Pick<Message, 'payload'> | null): Telemetry {
  if (message === null) throw new Error('there is no message')
  const decoded = decodeTelemetry(message.payload)
  if (!decoded.ok) throw new Error(decoded.rule)
  return decoded.telemetry
}

function seqs (message: Pick<Message, 'payload'> | null): number[] {
  return decode(message).readings.map(({ seq }) => seq)
}

/** `first..last` of every message that the backlog has. */
async function backlogOf (outbox: Outbox, flush = false): Promise<string[]> {
  const ranges: string[] = []
  for (let message = await outbox.nextBacklog(flush); message !== null; message = await outbox.nextBacklog(flush)) ranges.push(`${seqs(message)[0]}..${seqs(message).at(-1)}`)
  return ranges
}

t.test('with a batch of 1 each reading is a message, and carries what was measured', async t => {
  const outbox = openOutbox()
  t.equal(outbox.next(), null)
  outbox.push(reading(0, { clock: 2 }))
  t.same(decode(outbox.next()), { boot: 7, clock: 2, status: 0, readings: [{ seq: 0, ts: 1_790_000_000_000, temperatureDeciC: 210, pressurePa: 98_800 }] })
  t.equal(outbox.next(), null)
  t.equal(await outbox.nextBacklog(), null)
})

t.test('readings are published once, however often their message is sent, and acknowledged once', async t => {
  const outbox = openOutbox({ batch: 2 }, run(5))
  const first = outbox.next()!
  t.strictSame([outbox.published, outbox.acknowledged], [5, 0])
  outbox.requeue()
  const again = (await outbox.nextBacklog())!
  t.same(again.payload, first.payload)
  t.equal(outbox.published, 5)
  outbox.acknowledge(again)
  outbox.acknowledge(again)
  t.strictSame([outbox.acknowledged, outbox.size], [5, 0])
})

t.test('less than a batch waits, unless it is flushed', async t => {
  const outbox = openOutbox({ batch: 3 }, run(2))
  t.equal(outbox.next(), null)
  outbox.push(reading(2))
  t.same(seqs(outbox.next()), [0, 1, 2])
  outbox.push(reading(3))
  t.same(seqs(outbox.next(true)), [3])
})

t.test('the newest readings go first, and behind them the backlog in messages of 500, the oldest first', async t => {
  const outbox = openOutbox({}, run(1_201))
  const live = outbox.next()
  t.same([seqs(live)[0], seqs(live).at(-1)], [1_000, 1_200])
  t.same(await backlogOf(outbox), ['0..499', '500..999'])
})

t.test('a message has one boot, one clock and one status, and times that do not go back; a shorter run does not wait for more', async t => {
  const fault = { clock: 2, status: status.sensorFault } as const
  const outbox = openOutbox({ batch: 4 }, [reading(0), reading(1, { clock: 2 }), reading(2, fault), reading(3, { ...fault, ts: 1_000 }), reading(0, { boot: 8 })])
  t.equal(outbox.next(), null, 'the run at the end waits for its batch')
  t.same(await backlogOf(outbox), ['0..0', '1..1', '2..2', '3..3'])
  t.match(decode(outbox.next(true)), { boot: 8 })
})

t.test('what is not acknowledged is sent again after a connection: the same bytes in the same order', async t => {
  const outbox = openOutbox({}, run(3))
  const first = outbox.next()!
  outbox.push(reading(3))
  const second = outbox.next()!
  outbox.push(reading(4))
  const third = outbox.next()!
  outbox.acknowledge(second)
  outbox.requeue()
  outbox.push(reading(5))
  t.same(seqs(outbox.next()), [5], 'what is new goes before it')
  t.same([await outbox.nextBacklog(), await outbox.nextBacklog()].map(message => message?.payload), [first.payload, third.payload])
  t.equal(await outbox.nextBacklog(), null)
  t.equal(outbox.size, 5)
})

t.test('an acknowledgement ends a message once; one that comes after its connection changes nothing', async t => {
  const outbox = openOutbox({ batch: 2 }, run(2))
  const message = outbox.next()!
  t.match(outbox, { size: 2, inFlight: 1 })
  outbox.requeue()
  outbox.acknowledge(message)
  t.match(outbox, { size: 2, inFlight: 0 })
  const again = (await outbox.nextBacklog())!
  outbox.acknowledge(again)
  outbox.acknowledge(again)
  t.match(outbox, { size: 0, inFlight: 0, dropped: 0 })
})

t.test('at the limit the oldest reading goes and is counted, and the next message says so, once', async t => {
  const outbox = openOutbox({ maxReadings: 3 }, run(5))
  t.match(outbox, { size: 3, dropped: 2 })
  const message = outbox.next()!
  t.same(seqs(message), [2, 3, 4])
  t.equal(decode(message).status, status.droppedBefore)
  outbox.acknowledge(message)
  outbox.push(reading(5))
  t.equal(decode(outbox.next()).status, 0)
})

t.test('of a longer backlog a whole message goes, and the next one says so', async t => {
  const outbox = openOutbox({ maxReadings: 1_200 }, run(1_301))
  t.match(outbox, { size: 801, dropped: 500 })
  t.match(decode(await outbox.nextBacklog()), { status: status.droppedBefore, readings: { 0: { seq: 500 } } })
  t.match(decode(outbox.next()), { status: 0 })
})

t.test('what is in flight is not given up: the oldest that waits goes, be it the newest reading', async t => {
  const outbox = openOutbox({ maxReadings: 2 }, [reading(0)])
  const first = outbox.next()!
  outbox.push(reading(1))
  const second = outbox.next()!
  outbox.push(reading(2))
  t.match(outbox, { size: 2, inFlight: 2, dropped: 1 })
  outbox.acknowledge(first)
  outbox.acknowledge(second)
  outbox.push(reading(3))
  t.match(decode(outbox.next()), { status: status.droppedBefore, readings: [{ seq: 3 }] })
})

t.test('kept until stored, a reading goes when it is named, and is sent again when it is not named 10 minutes after its PUBACK', async t => {
  const clock = createTestClock()
  const outbox = openOutbox({ keepUntil: 'stored', clock }, run(2))
  const first = outbox.next()!
  outbox.acknowledge(first)
  outbox.push(reading(2))
  outbox.acknowledge(outbox.next()!)
  t.match(outbox, { size: 3, unacknowledged: 0, acknowledged: 3 })
  outbox.stored(settledRanges({ at: 0, settled: [[7, 0, 0], [8, 0, 9]], dead: [] }))
  t.equal(outbox.size, 3, 'a part of a message is not enough')
  outbox.stored(settledRanges({ at: 0, settled: [[7, 0, 0]], dead: [[7, 1, 1, 'ISO_READING_TIME']] }))
  t.equal(outbox.size, 1, 'a dead letter is an end too')
  await clock.advance(9 * 60_000)
  outbox.remind()
  t.equal(await outbox.nextBacklog(), null)
  await clock.advance(60_000)
  outbox.remind()
  const again = await outbox.nextBacklog()
  t.same(seqs(again), [2])
  outbox.acknowledge(again!)
  outbox.stored(settledRanges({ at: 0, settled: [[7, 0, 2]], dead: [] }))
  t.equal(outbox.size, 0)
})

t.test('a guess is not sent before it is settled; then every time moves by the same', async t => {
  const guess = { machineBoot: '00'.repeat(16), offsetMs: 1_000 }
  const outbox = openOutbox({}, Array.from({ length: 700 }, (_, seq) => reading(seq, { ts: 1_000 + seq, clock: 2, time: guess })))
  t.equal(outbox.next(true), null)
  t.equal(await outbox.nextBacklog(true), null)
  outbox.settleTimes({ ...guess, offsetMs: 1_790_000_000_000.4 }, 1)
  outbox.push(reading(700))
  t.match(decode(outbox.next()), { clock: 0, readings: [{ seq: 700 }] })
  t.match(decode(await outbox.nextBacklog()), { clock: 1, readings: { 0: { seq: 0, ts: 1_790_000_000_000 }, 499: { seq: 499, ts: 1_790_000_000_499 } } })
  t.match(decode(await outbox.nextBacklog()), { clock: 1, readings: { 0: { seq: 500 }, 199: { ts: 1_790_000_000_699 } } })
})

t.test('a guess that nobody corrects goes out as it is, with clock 2', async t => {
  const guess = { machineBoot: '00'.repeat(16), offsetMs: 1_000 }
  const outbox = openOutbox({}, [reading(0, { ts: 5_000, clock: 2, time: guess })])
  outbox.settleTimes(guess, 2)
  t.match(decode(await outbox.nextBacklog()), { clock: 2, readings: [{ seq: 0, ts: 5_000 }] })
})
