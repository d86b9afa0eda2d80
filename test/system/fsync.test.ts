import { readdir, readFile, readlink, rm } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { startTestGateway } from '../helpers/gateway.ts'
import { connectRaw, packets } from '../helpers/raw-mqtt.ts'
import { parseTrace, traceProcess, type SystemCall } from '../helpers/system-calls.ts'
import { openBroken } from '../integrity/breaks.ts'

// kill -9 cannot show a missing fsync: what the kernel has, a killed process does not lose. So the system calls themselves are looked at.

const messages = 5
const isRead = ({ name }: SystemCall): boolean => /^(?:read|recv)/.test(name)
const isWrite = ({ name }: SystemCall): boolean => /^p?write|^send/.test(name)
const isSync = ({ name }: SystemCall): boolean => /^(?:fdatasync|fsync|msync)$/.test(name)

/** File descriptors of the inbox's file. What is written to `synchronous` ones is on disk when the call returns (O_DSYNC): the page that makes a commit valid. */
interface InboxFds {
  readonly all: ReadonlySet<number>
  readonly synchronous: ReadonlySet<number>
}

/** What was not yet on disk when the PUBACK of a message began to be written; null: everything was. */
function tooEarly (calls: readonly SystemCall[], payload: string, id: number, { all, synchronous }: InboxFds): string | null {
  const puback = calls.find(call => isWrite(call) && call.hex === packets.puback(id).toString('hex'))
  if (puback === undefined) return 'no PUBACK was written'
  const before = calls.filter(({ ended }) => ended < puback.began)
  const publish = before.find(call => isRead(call) && call.hex.includes(payload))
  if (publish === undefined) return 'the PUBLISH was not read before its PUBACK'
  const written = before.find(call => call.began > publish.ended && isWrite(call) && all.has(call.fd) && call.hex.includes(payload))
  if (written === undefined) return 'its bytes were not written to the inbox before its PUBACK'
  const synced = before.find(call => call.began > written.ended && isSync(call) && (all.has(call.fd) || call.name === 'msync') && call.result === 0)
  if (synced === undefined) return 'its bytes were not synced before its PUBACK'
  const valid = before.find(call => call.began > synced.ended && isWrite(call) && synchronous.has(call.fd) && call.result > 0)
  return valid === undefined ? 'the commit was not valid on disk before its PUBACK' : null
}

async function inboxFds (pid: number): Promise<InboxFds> {
  const all = new Set<number>()
  const synchronous = new Set<number>()
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    if (!/\/inbox\/data\.mdb$/.test(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))) continue // closed meanwhile
    all.add(Number(fd))
    const flags = parseInt(/flags:\s+(\d+)/.exec(await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))![1]!, 8)
    if ((flags & 0o10000) !== 0) synchronous.add(Number(fd))
  }
  return { all, synchronous }
}

function payloadOf (seq: number): Uint8Array {
  return encodeTelemetry({ boot: 0xabcdef01, clock: 0, status: 0, readings: [{ seq, ts: Date.now(), temperatureDeciC: 215, pressurePa: 101_325 }] })
}

/** Publishes one message after the other to a gateway whose calls are traced. @returns what was too early, a line a message; or why nothing can be seen */
async function watch (t: Test, root: string): Promise<{ readonly refused: string } | { readonly early: ReadonlyArray<string | null> }> {
  const gateway = await startTestGateway(t, { CRATE_URL: 'postgresql://nobody@127.0.0.1:1/none' }, [], root)
  const fds = await inboxFds(gateway.pid)
  t.ok(fds.all.size > 0, 'the inbox is open')
  const tracing = await traceProcess(t, gateway.pid)
  if (typeof tracing === 'string') return { refused: tracing }
  const client = await connectRaw(t, gateway.mqttUrl, { clientId: 'dev-1' })
  const payloads = Array.from({ length: messages }, (_, n) => payloadOf(n))
  for (const [n, payload] of payloads.entries()) {
    client.send(packets.publish({ topic: 'iot/v1/dev-1/tele', payload, qos: 1, id: n + 1 }))
    await client.next('puback')
  }
  await client.ping() // strace has then seen the end of the last PUBACK's write
  const calls = await tracing.stop()
  return { early: payloads.map((payload, n) => tooEarly(calls, Buffer.from(payload).toString('hex'), n + 1, fds)) }
}

t.test('no PUBACK is written before the sync of its group has ended', async t => {
  const seen = await watch(t, packageRoot)
  if ('refused' in seen) t.pass('a trace', { skip: seen.refused })
  else t.same(seen.early, Array.from({ length: messages }, () => null))
})

t.test('a gateway that acknowledges before its commit is seen to do so', async t => {
  const root = await openBroken('ack-before-commit')
  t.teardown(async () => await rm(root, { recursive: true }))
  const seen = await watch(t, root)
  if ('refused' in seen) t.pass('a trace', { skip: seen.refused })
  else t.match(seen.early, Array.from({ length: messages }, () => /before its PUBACK$/))
})

t.test('calls that overlap are put together', async t => {
  const calls = parseTrace([
    '11 read(32, "\\x32\\x01"..., 65536) = 2',
    '12 fdatasync(20 <unfinished ...>',
    '11 read(16,  <unfinished ...>',
    '12 <... fdatasync resumed>)          = 0',
    '11 <... read resumed>"\\x02", 1024) = 1',
    '11 read(16, 0x7f, 1024) = -1 EAGAIN (Resource temporarily unavailable)',
    '13 writev(20, [{iov_base="\\x03", iov_len=1}, {iov_base="\\x04", iov_len=1}], 2) = 2',
    '14 <... read resumed>"\\x05", 1024) = 1',
    ''
  ].join('\n'))
  t.same(calls, [
    { name: 'read', fd: 32, hex: '3201', result: 2, began: 0, ended: 0 },
    { name: 'fdatasync', fd: 20, hex: '', result: 0, began: 1, ended: 3 },
    { name: 'read', fd: 16, hex: '02', result: 1, began: 2, ended: 4 },
    { name: 'read', fd: 16, hex: '', result: -1, began: 5, ended: 5 },
    { name: 'writev', fd: 20, hex: '0304', result: 2, began: 6, ended: 6 }
  ])
})
