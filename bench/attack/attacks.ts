import { type Socket } from 'node:net'
import { seededRandom } from '../../lib/random.ts'
import { writeTelemetry } from '../messages.ts'
import { connectPacket, packet, publishPacket, subscribePacket, text, uint16, unsubscribePacket } from '../packets.ts'
import { loginAttacks } from './login-attacks.ts'
import { another, closed, coming, open, over, pour, pouring, sleep, type Attacker } from './sockets.ts'

/** One attack on a gateway of its own, with the default settings but for `settings`: limits that it would take too long to reach. */
export interface Attack {
  readonly run: Attacker
  readonly settings?: Readonly<Record<string, string>>
  /** How long it goes on before anything is measured, in ms, where it takes time to reach its limit. */
  readonly settleMs?: number
}

const slashes = '/'.repeat(60_000)
const kilobyte = Buffer.alloc(1000, 120)
/** Longer than ISOBAR_CONNECT_TIMEOUT. */
const deadlineMs = 5500

export const attacks: Readonly<Record<string, Attack>> = {
  nothing: { run: async (_port, signal) => { while (!signal.aborted) await sleep(50) } },
  'silent sockets': { run: silent, settleMs: deadlineMs },
  'slow CONNECTs': { run: slowly, settleMs: deadlineMs },
  'lengths of 256 MB': { run: hugeLengths },
  'connects and leaves': { run: coming(n => connectPacket(`flood-${n}`), 32) },
  'takeovers of one id': { run: takeovers },
  'topics of 60 kB': { run: pouring(() => packet(0x30, text(slashes)), 'bomb', 4) },
  'filters of 60 kB': { run: pouring(n => subscribePacket(idOf(n), [slashes], 1), 'bomb', 4) },
  'filters without end': { run: pouring(n => subscribePacket(idOf(n), Array.from({ length: 50 }, (_, i) => `many/${n}/${i}`), 1)) },
  'filters without end, with a session': { run: subscribeAndUnsubscribe },
  'retained messages without end': { run: pouring(n => publishPacket(`kept/${n}`, kilobyte.subarray(0, 100), { id: idOf(n), retain: true })), settings: { ISOBAR_MAX_RETAINED: '1000' } },
  'retained messages again and again': { run: rereadRetained },
  'sessions without end': { run: coming(n => Buffer.concat([connectPacket(`session-${n}`, { clean: false }), subscribePacket(1, ['own/topic'], 1)]), 16), settings: { ISOBAR_MAX_SESSIONS: '200' } },
  'queues of absent sessions': { run: absentSessions, settings: { ISOBAR_MAX_QUEUED: '100' } },
  'wills without end': { run: coming(n => connectPacket(`will-${n}`, { will: { topic: `will/${n}`, payload: kilobyte } }), 16), settings: { ISOBAR_MAX_RETAINED: '200' } },
  'a subscriber that does not read': { run: deafSubscriber(false) },
  'a subscriber that does not acknowledge': { run: deafSubscriber(true) },
  'messages as fast as can be': { run: pouring(() => Buffer.concat(Array.from({ length: 100 }, () => publishPacket('noise', kilobyte.subarray(0, 50))))) },
  'telemetry as fast as can be': { run: pouring(telemetry()) },
  'PINGREQs as fast as can be': { run: pouring(() => Buffer.alloc(65_536, Buffer.from([0xc0, 0]))) },
  'acknowledgements of nothing': { run: pouring(() => Buffer.alloc(65_536, Buffer.from([0x40, 2, 0, 1]))) },
  'QoS 2 without PUBREL': { run: pouring(n => publishPacket('noise', kilobyte.subarray(0, 10), { id: idOf(n), qos: 2 })) },
  'payloads that are no telemetry': { run: pouring(n => publishPacket('iot/v1/garbage/tele', Buffer.from(`garbage ${n}`), { id: idOf(n) })) },
  'a byte a segment': { run: pouring(byBytes(publishPacket('noise', uint16(0))), 'bytes', 8) },
  ...Object.fromEntries(Object.entries(loginAttacks).map(([name, run]) => [name, { run }]))
}

/** Packet ids begin at 1. */
function idOf (n: number): number {
  return n % 65_535 + 1
}

async function silent (port: number, signal: AbortSignal): Promise<void> {
  const sockets: Socket[] = []
  while (!signal.aborted) {
    for (let n = 0; n < 20; n++) sockets.push(open(port))
    await sleep(10)
  }
  for (const socket of sockets) socket.destroy()
}

async function slowly (port: number, signal: AbortSignal): Promise<void> {
  await over(signal, 500, async () => {
    const socket = open(port)
    for (const byte of connectPacket(`slow-${another()}`)) {
      if (signal.aborted || socket.destroyed) break
      socket.write(Buffer.from([byte]))
      await sleep(700)
    }
    socket.destroy()
  })
}

/** Before the login and behind it, in turn. */
async function hugeLengths (port: number, signal: AbortSignal): Promise<void> {
  await over(signal, 16, async () => {
    const socket = open(port)
    const n = another()
    socket.write(n % 2 === 0 ? Buffer.from('10ffffff7f', 'hex') : Buffer.concat([connectPacket(`huge-${n}`), Buffer.from('30ffffff7f', 'hex')]))
    await pour(socket, signal, () => Buffer.alloc(65_536))
  })
}

async function takeovers (port: number, signal: AbortSignal): Promise<void> {
  await over(signal, 20, async () => {
    const socket = open(port)
    socket.write(connectPacket('one-id'))
    await Promise.race([closed(socket), sleep(500)])
    socket.destroy()
  })
}

/** Filters that are granted, and given up again: each is written to the disk. */
async function subscribeAndUnsubscribe (port: number, signal: AbortSignal): Promise<void> {
  const filters = Array.from({ length: 50 }, (_, i) => `many/${i}`)
  const socket = open(port)
  let n = 0
  socket.write(connectPacket(`kept-${another()}`, { clean: false }))
  await pour(socket, signal, () => Buffer.concat([subscribePacket(idOf(n++), filters, 1), unsubscribePacket(idOf(n++), filters)]))
}

/** 10,000 retained messages, and somebody who subscribes to all of them again and again. */
async function rereadRetained (port: number, signal: AbortSignal): Promise<void> {
  const writer = open(port)
  writer.write(Buffer.concat([connectPacket(`writer-${another()}`), ...Array.from({ length: 10_000 }, (_, n) => publishPacket(`kept/${n}`, kilobyte.subarray(0, 100), { retain: true }))]))
  await sleep(1500)
  await pouring(n => subscribePacket(idOf(n), ['#'], 0), 'reader')(port, signal)
}

/** 100 sessions whose clients have gone, and somebody who publishes to all of them. */
async function absentSessions (port: number, signal: AbortSignal): Promise<void> {
  for (let n = 0; n < 100; n++) {
    const socket = open(port)
    socket.write(Buffer.concat([connectPacket(`absent-${n}`, { clean: false }), subscribePacket(1, ['noise'], 1)]))
    await new Promise(resolve => socket.once('data', resolve))
    socket.destroy()
  }
  await pouring(n => publishPacket('noise', kilobyte, { id: idOf(n) }))(port, signal)
}

/** A subscriber of everything, and somebody who publishes to it. `reads`: it takes what comes, but acknowledges nothing. */
function deafSubscriber (reads: boolean): Attacker {
  return async (port, signal) => {
    const noise = open(port)
    noise.write(connectPacket(`noise-${another()}`))
    const flood = pour(noise, signal, () => publishPacket('noise', Buffer.alloc(10_000), { id: idOf(another()) }))
    await over(signal, 1, async () => {
      const socket = open(port)
      socket.write(Buffer.concat([connectPacket(`deaf-${another()}`), subscribePacket(1, ['#'], 1)]))
      if (!reads) socket.pause()
      await Promise.race([closed(socket), sleep(2000)])
      socket.destroy()
    })
    await flood
  }
}

/** Readings of one device, good ones. */
function telemetry (): (n: number) => Buffer {
  const random = seededRandom(3)
  const payload = Buffer.alloc(80)
  return n => publishPacket('iot/v1/flood/tele', payload.subarray(0, writeTelemetry(payload, 1, n, 1, Date.now(), random)), { id: idOf(n) })
}

function byBytes (packet: Buffer): (n: number) => Buffer {
  return n => packet.subarray(n % packet.length, n % packet.length + 1)
}
