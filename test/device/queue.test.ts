import t from 'tap'
import { Queue, type QueuedReading } from '../../device/queue.ts'
import { decodeTelemetry } from '../../schemas/telemetry-decode.ts'
import { status, type Telemetry } from '../../schemas/telemetry.ts'

function reading (seq: number, over: Partial<QueuedReading> = {}): QueuedReading {
  return { boot: 7, seq, ts: 1_790_000_000_000 + seq * 1000, temperatureDeciC: 210, pressurePa: 98_800, clock: 0, status: 0, ...over }
}

function decode (message: { payload: Uint8Array } | null): Telemetry {
  if (message === null) throw new Error('there is no message')
  const decoded = decodeTelemetry(message.payload)
  if (!decoded.ok) throw new Error(decoded.rule)
  return decoded.telemetry
}

function seqs (message: { payload: Uint8Array } | null): number[] {
  return decode(message).readings.map(({ seq }) => seq)
}

t.test('with a batch of 1 each reading is a message, and carries what was measured', async t => {
  const queue = new Queue({ batch: 1, maxReadings: 10 })
  t.equal(queue.next(), null)
  queue.push(reading(0, { clock: 2 }))
  t.same(decode(queue.next()), { boot: 7, clock: 2, status: 0, readings: [{ seq: 0, ts: 1_790_000_000_000, temperatureDeciC: 210, pressurePa: 98_800 }] })
  t.equal(queue.next(), null)
})

t.test('readings are published once, however often their message is sent, and acknowledged once', async t => {
  const queue = new Queue({ batch: 2, maxReadings: 10 })
  for (let seq = 0; seq < 5; seq++) queue.push(reading(seq))
  const first = queue.next()!
  t.strictSame([queue.published, queue.acknowledged], [first.readings, 0])
  queue.requeue()
  t.equal(queue.next(), first)
  t.equal(queue.published, first.readings)
  queue.acknowledge(first)
  queue.acknowledge(first)
  t.strictSame([queue.acknowledged, queue.size], [first.readings, 5 - first.readings])
})

t.test('less than a batch waits, unless it is flushed', async t => {
  const queue = new Queue({ batch: 3, maxReadings: 10 })
  queue.push(reading(0))
  queue.push(reading(1))
  t.equal(queue.next(), null)
  queue.push(reading(2))
  t.same(seqs(queue.next()), [0, 1, 2])
  queue.push(reading(3))
  t.same(seqs(queue.next(true)), [3])
})

t.test('a backlog goes in messages of 500', async t => {
  const queue = new Queue({ batch: 1, maxReadings: 10_000 })
  for (let seq = 0; seq < 1201; seq++) queue.push(reading(seq))
  t.same([queue.next(), queue.next(), queue.next()].map(message => message?.readings), [500, 500, 201])
  t.equal(queue.next(), null)
})

t.test('a message has one boot, one clock and one status, and times that do not go back; a shorter run does not wait for more', async t => {
  const queue = new Queue({ batch: 4, maxReadings: 100 })
  const rows = [reading(0), reading(1, { clock: 2 }), reading(2, { clock: 2, status: status.sensorFault }), reading(3, { clock: 2, status: status.sensorFault, ts: 1_000 }), reading(0, { boot: 8 })]
  for (const row of rows) queue.push(row)
  t.same([queue.next(), queue.next(), queue.next(), queue.next()].map(seqs), [[0], [1], [2], [3]])
  t.equal(queue.next(), null, 'the run at the end waits for its batch')
  t.match(decode(queue.next(true)), { boot: 8 })
})

t.test('what is not acknowledged is sent again after a connection: the same bytes in the same order, before anything new', async t => {
  const queue = new Queue({ batch: 1, maxReadings: 100 })
  for (let seq = 0; seq < 3; seq++) queue.push(reading(seq))
  const first = queue.next()!
  queue.push(reading(3))
  const second = queue.next()!
  queue.push(reading(4))
  const third = queue.next()!
  queue.acknowledge(second)
  queue.requeue()
  queue.push(reading(5))
  t.same([queue.next(), queue.next()].map(message => message?.payload), [first.payload, third.payload])
  t.same(seqs(queue.next()), [5])
  t.equal(queue.next(), null)
  t.equal(queue.size, 5)
})

t.test('an acknowledgement ends a message once; one that comes after its connection changes nothing', async t => {
  const queue = new Queue({ batch: 2, maxReadings: 100 })
  queue.push(reading(0))
  queue.push(reading(1))
  const message = queue.next()!
  t.match(queue, { size: 2, inFlight: 1 })
  queue.requeue()
  queue.acknowledge(message)
  t.match(queue, { size: 2, inFlight: 0 })
  t.equal(queue.next(), message)
  queue.acknowledge(message)
  queue.acknowledge(message)
  t.match(queue, { size: 0, inFlight: 0, dropped: 0 })
})

t.test('at the limit the oldest reading goes and is counted, and the next message says so, once', async t => {
  const queue = new Queue({ batch: 1, maxReadings: 3 })
  for (let seq = 0; seq < 5; seq++) queue.push(reading(seq))
  t.match(queue, { size: 3, dropped: 2 })
  const message = queue.next()!
  t.same(seqs(message), [2, 3, 4])
  t.equal(decode(message).status, status.droppedBefore)
  queue.acknowledge(message)
  queue.push(reading(5))
  t.equal(decode(queue.next()).status, 0)
})

t.test('a message that was published before goes as a whole, since its bytes never change', async t => {
  const queue = new Queue({ batch: 1, maxReadings: 4 })
  for (let seq = 0; seq < 3; seq++) queue.push(reading(seq))
  queue.next()
  queue.requeue()
  queue.push(reading(3))
  queue.push(reading(4))
  t.match(queue, { size: 2, dropped: 3 })
  t.same(seqs(queue.next()), [3, 4])
})

t.test('what is in flight is not given up: the oldest that waits goes, be it the newest reading', async t => {
  const queue = new Queue({ batch: 1, maxReadings: 2 })
  queue.push(reading(0))
  const first = queue.next()!
  queue.push(reading(1))
  const second = queue.next()!
  queue.push(reading(2))
  t.match(queue, { size: 2, inFlight: 2, dropped: 1 })
  queue.acknowledge(first)
  queue.acknowledge(second)
  queue.push(reading(3))
  t.match(decode(queue.next()), { status: status.droppedBefore, readings: [{ seq: 3 }] })
})
