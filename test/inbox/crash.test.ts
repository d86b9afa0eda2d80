import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { openStore } from '../../inbox/store.ts'
import { packageRoot } from '../../lib/package.ts'
import { openTestInbox, openTestReader, readAll, testInboxDir } from '../helpers/inbox.ts'

/** A delivery as its sender knows it; number n is the n-th that was committed. */
interface Sent {
  readonly mark: number
  readonly deviceId: string
  readonly readings: number
  flushed: boolean
}

interface Ended {
  readonly stored: number
  readonly duplicate: number
  readonly dead: number
  told: boolean
}

/** What a child that was killed had written down. */
class Record {
  readonly sent: Sent[] = []
  readonly ended = new Map<number, Ended>()

  take (line: string): void {
    const [what, name, ...fields] = line.split(' ')
    const [first, second, third] = fields.map(Number)
    if (what === 'append') this.sent.push({ mark: Number(name), deviceId: fields[0]!, readings: second!, flushed: false })
    else if (what === 'flushed') this.sent.find(({ mark }) => mark === Number(name))!.flushed = true
    else if (what === 'settle') this.ended.set(Number(name), { stored: first!, duplicate: second!, dead: third!, told: false })
    else if (what === 'settled') this.ended.get(Number(name))!.told = true
  }
}

/** Runs the child on a folder, and kills it when so many deliveries were flushed. Returns the lines that it wrote. */
async function killAfter (flushes: number, { dir, file, seed, firstMark }: { readonly dir: string, readonly file: string, readonly seed: number, readonly firstMark: number }): Promise<string[]> {
  const child = spawn(process.execPath, [join(packageRoot, 'test/fixtures/inbox/crash-child.mjs'), dir, file, String(seed), String(firstMark)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let left = flushes
  child.stdout.on('data', (dots: Buffer) => {
    left -= dots.byteLength
    if (left <= 0) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'close')
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself: ${code}`)
  return readFileSync(file, 'utf8').split('\n').slice(0, -1) // the last line is not whole, or empty
}

t.test('kill -9 in the middle of appends and settlements loses and doubles nothing, and the counters are exact', async t => {
  const random = seededRandom(5)
  const dir = testInboxDir(t)
  const record = new Record()
  for (let round = 0; round < 5; round++) {
    const place = { dir, file: `${dir}.${round}`, seed: round, firstMark: 1 + (record.sent.at(-1)?.mark ?? 0) }
    for (const line of await killAfter(30 + Math.floor(random() * 600), place)) record.take(line)
    const store = openStore(dir, { readOnly: true })
    const { next } = store.summary()
    await store.close()
    const lost = record.sent.splice(next - 1)
    t.same(lost.filter(({ flushed }) => flushed), [], 'nothing that was acknowledged is lost')

    const inbox = await openTestInbox(t, { dir })
    const reader = openTestReader(t, dir)
    const open = readAll(reader)
    const openNumbers = new Set(open.map(({ number }) => number))
    t.equal(openNumbers.size, open.length)
    t.same(open.filter(({ number, payload }) => record.sent[number - 1]?.mark !== Buffer.from(payload).readUInt32LE()), [], 'each is the one that was sent')
    t.same([...record.ended].filter(([number, { told }]) => told && openNumbers.has(number)), [], 'what was told to be settled is settled')
    t.same(record.sent.filter((_, place) => !openNumbers.has(place + 1) && !record.ended.has(place + 1)), [], 'what is gone was settled')

    const counters = new Map<string, { received: number, stored: number, duplicate: number, dead: number, pending: number }>()
    for (const [place, { deviceId, readings }] of record.sent.entries()) {
      const device = counters.get(deviceId) ?? { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0 }
      counters.set(deviceId, device)
      device.received += readings
      if (openNumbers.has(place + 1)) {
        record.ended.delete(place + 1) // it was about to be settled
        device.pending += readings
        continue
      }
      const { stored, duplicate, dead } = record.ended.get(place + 1)!
      device.stored += stored
      device.duplicate += duplicate
      device.dead += dead
    }
    t.same(new Map([...inbox.counters()].map(([deviceId, { lastBoot, lastSeq, ...sums }]) => [deviceId, sums])), counters, 'the counters say the same')
    t.equal(inbox.backlog().deliveries, open.length)
    await reader.close()
    await inbox.close()
  }
  t.ok(record.sent.length > 500)
})
