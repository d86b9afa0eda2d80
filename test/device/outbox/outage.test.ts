import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { Journal } from '../../../device/outbox/journal.ts'
import { Outbox } from '../../../device/outbox/outbox.ts'
import { packageRoot } from '../../../lib/package.ts'
import { decodeTelemetry } from '../../../schemas/telemetry-decode.ts'

/** Readings, one a second: 3 days with ISOBAR_TEST_OUTAGE=long, else 3 hours. */
const total = process.env.ISOBAR_TEST_OUTAGE === 'long' ? 259_200 : 10_800
const startS = 1_790_000_000

interface Outage {
  /** Readings that were on disk at the last commit. */
  readonly committed: number
  /** What the process says at its end; null when it was killed. */
  readonly end: { readonly found: number, readonly inRam: number, readonly failures: number, readonly writeBytes: number, readonly dropped: number } | null
}

/** A process without a gateway. @param killAfter commits until it is killed; @param fileBlocks longest file, in blocks of 512 bytes */
async function outage (t: Test, dir: string, boot: number, firstS: number, readings: number, { killAfter = Infinity, fileBlocks = 'unlimited' }: { killAfter?: number, fileBlocks?: number | 'unlimited' } = {}): Promise<Outage> {
  const fixture = join(packageRoot, 'test/fixtures/device/outage.mjs')
  const child = spawn('sh', ['-c', `ulimit -f ${fileBlocks}; exec "$@"`, 'sh', process.execPath, fixture, dir, ...[boot, firstS, readings].map(String)], { stdio: ['ignore', 'pipe', 'inherit'], env: {} })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let [commits, committed] = [0, 0]
  let end: Outage['end'] = null
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) end = JSON.parse(line) as Outage['end']
    else committed = Number(line)
    if (++commits === killAfter) child.kill('SIGKILL')
  }
  await exited
  return { committed, end }
}

t.test('an outage with kills, a torn log and a full disk in its middle: no committed reading is lost, each has its time, and the card is spared', { skip: process.platform !== 'linux' && 'it reads /proc/self/io' }, async t => {
  const dir = t.testdir()
  const part = total / 4
  const killed = await outage(t, dir, 1, startS, part, { killAfter: Math.floor(part / 60 / 2) })
  t.equal(killed.end, null)
  t.ok(killed.committed > 0.4 * part)
  const logs = (await readdir(dir)).filter(name => name.endsWith('.log')).sort()
  await appendFile(join(dir, logs.at(-1)!), Buffer.from('5000000012345678deadbeef', 'hex')) // what a power cut leaves
  const good = await outage(t, dir, 2, startS + part, part)
  t.ok(good.end!.found >= killed.committed && good.end!.found <= killed.committed + 60, 'all that the first one had committed')
  const perReading = good.end!.writeBytes / part
  t.comment(`write_bytes of the process: ${perReading.toFixed(1)} a reading`)
  t.ok(perReading < 100, `${perReading} bytes a reading`)
  const full = await outage(t, dir, 3, startS + 2 * part, part, { fileBlocks: 8 })
  t.ok(full.end!.failures > 0, 'the disk took not everything')
  t.equal(full.end!.dropped, 0)
  const last = await outage(t, dir, 4, startS + 3 * part, part)

  const log = await Journal.open({ dir, maxBytes: 64e6, maxReadings: 5e6, machineBoot: '00'.repeat(16) })
  t.teardown(() => log.journal.close())
  t.ok(log.journal.torn + log.journal.damaged <= 1)
  const outbox = new Outbox({ batch: 1, maxReadings: 86_400, log })
  const seqs = new Map<number, number>()
  let [messages, wrong] = [0, 0]
  for (let message = await outbox.nextBacklog(true); message !== null; message = await outbox.nextBacklog(true), messages++) {
    const decoded = decodeTelemetry(message.payload)
    if (!decoded.ok) throw new Error(decoded.rule)
    const { boot, readings } = decoded.telemetry
    for (const { seq, ts, temperatureDeciC } of readings) {
      if (seq !== (seqs.get(boot) ?? 0) || ts !== (startS + (boot - 1) * part + seq) * 1000 + 123 || temperatureDeciC !== 200 + seq % 50) wrong++
      seqs.set(boot, seq + 1)
    }
    outbox.acknowledge(message)
  }
  t.equal(wrong, 0, 'each once, in its order, with its time and value')
  const kept = (boot: number): number => seqs.get(boot) ?? 0
  t.ok(kept(1) >= killed.committed)
  t.same([kept(2), kept(3), kept(4)], [good, full, last].map(({ end }) => part - end!.inRam), 'all but what was in RAM when the process ended')
  t.comment(`${total} readings, ${[1, 2, 3, 4].reduce((sum, boot) => sum + kept(boot), 0)} drained in ${messages} messages; in RAM at an end: ${[good, full, last].map(({ end }) => end!.inRam).join(', ')}`)
  t.ok(messages < total / 300, `${messages} messages`)
  await outbox.commit()
  t.same((await readdir(dir)).filter(name => name.endsWith('.log')), [])
})
