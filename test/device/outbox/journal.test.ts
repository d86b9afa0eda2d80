import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type MadeReading } from '../../../device/outbox/entry.ts'
import { Journal, type JournalOptions } from '../../../device/outbox/journal.ts'
import { Outbox, type OutboxOptions } from '../../../device/outbox/outbox.ts'
import { encodeRecord, scanRecords } from '../../../device/outbox/record.ts'
import { seededRandom } from '../../../lib/random.ts'
import { decodeTelemetry } from '../../../schemas/telemetry-decode.ts'
import { status, type Telemetry } from '../../../schemas/telemetry.ts'
import { createTestClock } from '../../helpers/clock.ts'

const machineBoot = '5a'.repeat(16)

type Over = Partial<Omit<OutboxOptions, 'log'> & JournalOptions>

/** An outbox on this folder, as a start of the process opens it. */
async function open (t: Test, dir: string, over: Over = {}): Promise<{ outbox: Outbox, journal: Journal }> {
  const log = await Journal.open({ dir, maxBytes: 10e6, maxReadings: 1e6, machineBoot, ...over })
  t.teardown(() => log.journal.close())
  return { journal: log.journal, outbox: new Outbox({ batch: 1, maxReadings: 100_000, clock: createTestClock(), ...over, log }) }
}

function reading (seq: number, over: Partial<MadeReading> = {}): MadeReading {
  return { boot: 7, seq, ts: 1_790_000_000_000 + seq * 1000, temperatureDeciC: 210 - seq % 7, pressurePa: 98_800 + seq % 11, clock: 0, status: 0, ...over }
}

/** Makes readings and commits them, as many as `perCommit` at a time. */
async function make (outbox: Outbox, count: number, { from = 0, perCommit = 60, over = {} }: { from?: number, perCommit?: number, over?: Partial<MadeReading> } = {}): Promise<void> {
  for (let seq = from; seq < from + count; seq++) {
    outbox.push(reading(seq, over))
    if ((seq - from + 1) % perCommit === 0) await outbox.commit({ all: true })
  }
  await outbox.commit({ all: true })
}

/** Everything that the outbox gives out, acknowledged when it is asked for. */
async function drain (outbox: Outbox, { acknowledge = true, most = Infinity } = {}): Promise<Telemetry[]> {
  const messages: Telemetry[] = []
  for (let message = await outbox.nextBacklog(true); message !== null && messages.length < most; message = await outbox.nextBacklog(true)) {
    const decoded = decodeTelemetry(message.payload)
    if (!decoded.ok) throw new Error(decoded.rule)
    messages.push(decoded.telemetry)
    if (acknowledge) outbox.acknowledge(message)
  }
  return messages
}

const readingsIn = (messages: readonly Telemetry[]): Array<Omit<MadeReading, 'status'>> => messages.flatMap(({ boot, clock, readings }) => readings.map(one => ({ boot, clock, ...one })))
const made = (count: number, from = 0): MadeReading[] => Array.from({ length: count }, (_, index) => reading(from + index)).map(({ status: _, ...one }) => one as MadeReading)

async function logFiles (dir: string): Promise<string[]> {
  return (await readdir(dir)).filter(name => name.endsWith('.log')).sort().map(name => join(dir, name))
}

t.test('what was committed is there after the next start, in messages of up to 500, and what was acknowledged is not', async t => {
  const dir = t.testdir()
  const before = await open(t, dir)
  await make(before.outbox, 1_260)
  await before.journal.close()
  const after = await open(t, dir)
  t.equal(after.outbox.size, 1_260)
  const [first] = await drain(after.outbox, { most: 1 })
  t.equal(first?.readings.length, 480, '8 commits of 60')
  await after.outbox.commit()
  await after.journal.close()
  const last = await open(t, dir)
  t.equal(last.outbox.size, 780)
  const rest = await drain(last.outbox)
  t.same(rest.map(({ readings }) => readings.length), [480, 300])
  t.same(readingsIn([first!, ...rest]), made(1_260))
  await last.outbox.commit()
  t.same(await logFiles(dir), [], 'nothing is open, nothing is on disk')
})

t.test('nothing is written while acknowledgements come', async t => {
  const dir = t.testdir()
  const clock = createTestClock()
  const { outbox } = await open(t, dir, { clock })
  for (let seq = 0; seq < 200; seq++) {
    outbox.push(reading(seq))
    outbox.acknowledge(outbox.next()!)
    await clock.advance(1_000)
    if (outbox.isCommitDue) await outbox.commit()
  }
  t.same(await logFiles(dir), [])
})

t.test('without acknowledgements a commit comes 5 s after the last good moment, then every 60 s; one that is asked for takes all', async t => {
  const dir = t.testdir()
  const clock = createTestClock()
  const { outbox } = await open(t, dir, { clock, commitMs: 60_000 })
  const commits: number[] = []
  for (let second = 0; second < 200; second++) {
    outbox.push(reading(second))
    if (outbox.isCommitDue) {
      commits.push(second)
      await outbox.commit()
      t.equal(outbox.inRam, 0)
    }
    await clock.advance(1_000)
  }
  t.same(commits, [5, 65, 125, 185])
  await outbox.commit({ all: true })
  t.equal(outbox.inRam, 0)
})

t.test('a half of what RAM may hold is a reason to commit', async t => {
  const clock = createTestClock()
  const { outbox } = await open(t, t.testdir(), { clock, maxReadings: 1e6 })
  const small = await open(t, t.testdir(), { clock })
  t.notOk(small.outbox.isCommitDue)
  await outbox.commit({ all: true })
  for (let seq = 0; seq < 500_001; seq++) outbox.push(reading(seq))
  t.notOk(outbox.isCommitDue, 'not twice in 5 s')
  await clock.advance(5_000)
  t.ok(outbox.isCommitDue)
})

t.test('at the limit of readings, or of bytes, the oldest segment goes and is counted, and the next message says so', async t => {
  for (const limit of [{ maxReadings: 1_000 }, { maxBytes: 16 * 4_096 }]) {
    const dir = t.testdir()
    const journalLimits = { maxBytes: 10e6, maxReadings: 1e6, machineBoot, ...limit }
    const log = await Journal.open({ dir, ...journalLimits })
    const outbox = new Outbox({ batch: 1, maxReadings: 100_000, log, clock: createTestClock() })
    await make(outbox, 12_000)
    t.ok(log.journal.bytes <= journalLimits.maxBytes && log.journal.readings <= journalLimits.maxReadings, `${log.journal.bytes} bytes, ${log.journal.readings} readings`)
    t.equal(outbox.size + outbox.dropped, 12_000)
    t.ok(outbox.size > 0.7 * Math.min(limit.maxReadings ?? Infinity, 4_000), `${outbox.size} are kept`)
    const { dropped } = outbox
    await outbox.commit()
    await log.journal.close()
    const after = await open(t, dir, journalLimits)
    t.equal(after.outbox.dropped, dropped, 'the count outlives the process')
    const messages = await drain(after.outbox)
    t.same(readingsIn(messages), made(12_000 - dropped, dropped))
    const again = await drain(outbox, { most: 1 })
    t.equal(again[0]!.status, status.droppedBefore)
    await after.journal.close()
  }
})

t.test('kept until stored, what was acknowledged and not named is there after a start', async t => {
  const dir = t.testdir()
  const before = await open(t, dir, { keepUntil: 'stored' })
  await make(before.outbox, 120)
  t.same(readingsIn(await drain(before.outbox)), made(120))
  before.outbox.stored(new Map([[7, [[0, 59]]]]))
  t.equal(before.outbox.size, 120, 'merged: it goes as a whole')
  await before.outbox.commit()
  await before.journal.close()
  t.equal((await open(t, dir, { keepUntil: 'stored' })).outbox.size, 120)
})

t.test('wherever the newest segment is cut, everything before the cut is there, and the log goes on', async t => {
  const source = t.testdir()
  const { outbox, journal } = await open(t, source)
  await make(outbox, 300, { perCommit: 20 })
  await journal.close()
  const [file] = await logFiles(source)
  const whole = await readFile(file!)
  const ends = scanRecords(whole).found.filter(({ record }) => record.kind === 'telemetry').map(({ at, length }) => at + length)
  const random = seededRandom(11)
  for (let round = 0; round < 60; round++) {
    const cut = Math.floor(random() * (whole.length + 1))
    await rm(source, { recursive: true })
    const dir = t.testdir({ '0000000001.log': whole.subarray(0, cut) })
    const after = await open(t, dir)
    const kept = 20 * ends.filter(end => end <= cut).length
    t.equal(after.outbox.size, kept, `cut at ${cut}`)
    t.equal(after.journal.torn, scanRecords(whole.subarray(0, cut)).restBytes > 0 ? 1 : 0)
    await make(after.outbox, 20, { from: 1_000 })
    await after.journal.close()
    const last = await open(t, dir)
    t.same(readingsIn(await drain(last.outbox)), [...made(kept), ...made(20, 1_000)])
    await last.journal.close()
  }
})

t.test('a flipped bit costs the record that it is in, and no reading is ever another', async t => {
  const source = t.testdir()
  const { outbox, journal } = await open(t, source)
  await make(outbox, 300, { perCommit: 20 })
  await journal.close()
  const whole = await readFile((await logFiles(source))[0]!)
  const random = seededRandom(12)
  const good = new Set(made(300).map(({ seq, ts, temperatureDeciC, pressurePa }) => JSON.stringify({ seq, ts, temperatureDeciC, pressurePa })))
  let lostByLength = 0
  for (let round = 0; round < 120; round++) {
    const bytes = Buffer.from(whole)
    const at = Math.floor(random() * bytes.length)
    bytes[at]! ^= 1 << Math.floor(random() * 8)
    const dir = t.testdir({ '0000000001.log': bytes })
    const after = await open(t, dir)
    const left = readingsIn(await drain(after.outbox))
    if (!left.every(({ boot, clock, ...one }) => boot === 7 && clock === 0 && good.has(JSON.stringify(one)))) t.fail(`byte ${at}: a reading that was never made`)
    if (left.length < 280) lostByLength++ // a length that is wrong hides what follows
    t.ok(left.length >= 280 || after.journal.torn === 1, `byte ${at}: ${left.length} of 300, counted`)
    await after.journal.close()
  }
  t.ok(lostByLength < 20, `${lostByLength} of 120`)
})

t.test('any bytes at all are no reason to fail', async t => {
  const random = seededRandom(13)
  for (let round = 0; round < 100; round++) {
    const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 3_000) }, () => Math.floor(random() * 256)))
    t.doesNotThrow(() => scanRecords(Buffer.concat([round % 2 === 0 ? encodeRecord({ kind: 'begin', version: 1 }) : Buffer.alloc(0), bytes])))
  }
  const dir = t.testdir({ '0000000001.log': '', '0000000002.log': Buffer.alloc(5_000), 'readme.txt': 'not ours' })
  const { outbox } = await open(t, dir)
  t.equal(outbox.size, 0)
})

t.test('damage in the middle of the log costs the rest of its segment, and the segments behind it are read', async t => {
  const dir = t.testdir()
  const before = await open(t, dir, { maxReadings: 800 })
  await make(before.outbox, 400)
  await before.journal.close()
  const [first] = await logFiles(dir)
  await truncate(first!, (await stat(first!)).size - 3)
  await appendFile(first!, Buffer.alloc(3))
  const after = await open(t, dir, { maxReadings: 800 })
  t.equal(after.journal.torn, 1)
  const left = readingsIn(await drain(after.outbox))
  t.ok(left.length >= 400 - 120 && left.length < 400, `${left.length} of 400`)
})

t.test('a log of a later version is left alone', async t => {
  const dir = t.testdir({ '0000000001.log': encodeRecord({ kind: 'begin', version: 2 }) })
  await t.rejects(open(t, dir), { code: 'ISO_OUTBOX_FORMAT' })
})

t.test('a folder that cannot be one is told with its path', async t => {
  const dir = t.testdir({ file: '' })
  await t.rejects(open(t, join(dir, 'file')), { code: 'ISO_OUTBOX_UNUSABLE', detail: /file/ })
})

t.test('a record of the log that cannot be read when it is sent is counted, and what is behind it goes', async t => {
  const dir = t.testdir()
  const { outbox, journal } = await open(t, dir)
  await make(outbox, 60, { over: { boot: 1 } })
  await make(outbox, 60, { over: { boot: 2 } })
  const [file] = await logFiles(dir)
  const bytes = await readFile(file!)
  bytes[60]! ^= 0xff
  await writeFile(file!, bytes)
  t.same((await drain(outbox)).map(({ boot, readings }) => [boot, readings.length]), [[2, 60]])
  t.match(outbox, { size: 0, dropped: 60 })
  t.equal(journal.damaged, 1)
})

const guess = { machineBoot, offsetMs: 1_700_000_000_000 }

t.test('guessed times of this run of the machine are settled after a restart of the agent, and stay what they were settled to', async t => {
  const dir = t.testdir()
  const before = await open(t, dir)
  await make(before.outbox, 120, { over: { clock: 2, time: guess } })
  await before.journal.close()
  const after = await open(t, dir)
  t.same(await drain(after.outbox), [], 'nothing goes before')
  after.outbox.settleTimes({ machineBoot, offsetMs: 1_700_000_500_000.4 }, 1)
  t.same(await drain(after.outbox), [], 'nor before the log says so')
  await after.outbox.commit()
  const settled = await drain(after.outbox, { acknowledge: false })
  t.match(settled, [{ clock: 1, readings: { 0: { seq: 0, ts: 1_790_000_500_000 } } }])
  await after.journal.close()
  const last = await open(t, dir)
  last.outbox.settleTimes({ machineBoot, offsetMs: 1_700_000_500_777 }, 1)
  t.same(await drain(last.outbox), settled, 'another offset comes too late')
})

t.test('times that are settled while they are in RAM are settled in the log too', async t => {
  const dir = t.testdir()
  const before = await open(t, dir)
  await make(before.outbox, 60, { over: { clock: 2, time: guess } })
  for (let seq = 60; seq < 90; seq++) before.outbox.push(reading(seq, { clock: 2, time: guess }))
  before.outbox.settleTimes({ machineBoot, offsetMs: 1_700_000_001_000 }, 1)
  await before.outbox.commit({ all: true })
  await before.journal.close()
  t.same(readingsIn(await drain((await open(t, dir)).outbox)), made(90).map(one => ({ ...one, clock: 1, ts: one.ts + 1_000 })))
})

t.test('guessed times of an earlier run of the machine cannot be settled: they go out with clock 2', async t => {
  const dir = t.testdir()
  const before = await open(t, dir)
  await make(before.outbox, 60, { over: { clock: 2, time: guess } })
  await before.journal.close()
  const after = await open(t, dir, { machineBoot: '11'.repeat(16) })
  after.outbox.settleTimes({ machineBoot: '11'.repeat(16), offsetMs: 1 }, 1)
  t.match(await drain(after.outbox), [{ clock: 2, readings: { 0: { ts: 1_790_000_000_000 } } }])
})
