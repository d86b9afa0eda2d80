// Appends and settles until it is killed. Writes into a file, which outlives it, what it is about to do and what it was told is done;
// on stdout a byte for every delivery that was flushed. Lines of the file: "append <mark> <device> <readings>", "flushed <mark>", "settle <number> <stored> <duplicate> <dead>", "settled <number>".
import { openSync, writeSync } from 'node:fs'
import { seededRandom } from '../../dist/bench/random.js'
import { openInbox } from '../../dist/inbox/inbox.js'
import { openInboxReader } from '../../dist/inbox/reader.js'
import { realClock } from '../../dist/lib/clock.js'
import { createLog } from '../../dist/lib/log.js'

const [dir, recordFile, seed, firstMark] = process.argv.slice(2)
const record = openSync(recordFile, 'a')
const random = seededRandom(Number(seed))
const inbox = await openInbox({ dir, gatewayName: 'test', maxBytes: 1e9, maxAgeMs: 1e12, reserveBytes: 0 }, { clock: realClock, log: createLog('silent') })
const reader = openInboxReader(dir)
let mark = Number(firstMark)
let from = 0

function say (line) { writeSync(record, `${line}\n`) }
function draw (below) { return Math.floor(random() * below) }

function append () {
  const deviceId = `dev-${draw(5)}`
  const readings = 1 + draw(9)
  const payload = Buffer.alloc(4 + draw(300))
  const itsMark = mark++
  payload.writeUInt32LE(itsMark)
  say(`append ${itsMark} ${deviceId} ${readings}`)
  return new Promise(resolve => inbox.append({ deviceId, kind: 'tele', topic: `iot/v1/${deviceId}/tele`, clientId: deviceId, receivedAt: Date.now(), readings, boot: 1, lastSeq: itsMark, payload }, () => {
    say(`flushed ${itsMark}`)
    process.stdout.write('.')
    resolve()
  }))
}

async function settleSome () {
  const { deliveries, next } = reader.read(from, 20_000)
  from = next
  const settlement = deliveries.filter(() => random() < 0.8).map(({ number, deviceId, readings }) => {
    const stored = draw(readings + 1)
    const duplicate = draw(readings - stored + 1)
    return { number, deviceId, stored, duplicate, dead: readings - stored - duplicate }
  })
  for (const { number, stored, duplicate, dead } of settlement) say(`settle ${number} ${stored} ${duplicate} ${dead}`)
  await inbox.settle(settlement)
  for (const { number } of settlement) say(`settled ${number}`)
}

for (;;) {
  const appends = Array.from({ length: 1 + draw(40) }, append)
  await Promise.all([...(random() < 0.5 ? appends : []), settleSome()])
}
