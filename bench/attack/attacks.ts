import { connect, type Socket } from 'node:net'
import { connectPacket, packet, publishPacket, subscribePacket, text, uint16 } from '../packets.ts'

/** One attack: it goes on until the signal aborts. */
export type Attack = (port: number, signal: AbortSignal) => Promise<void>

const slashes = '/'.repeat(65_000)
const kilobyte = Buffer.alloc(1000, 120)
let named = 0

function open (port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {}) // to be closed is what it is here for
  socket.resume()
  return socket
}

async function sleep (ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}

/** Runs `one` again and again, so many at a time. */
async function over (signal: AbortSignal, parallel: number, one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: parallel }, async () => { while (!signal.aborted) await one() }))
}

/** Writes as fast as the gateway takes it, until the connection is closed or the attack ends. */
async function pour (socket: Socket, signal: AbortSignal, more: () => Buffer): Promise<void> {
  const end = closed(socket)
  while (!signal.aborted && !socket.destroyed) {
    if (socket.write(more())) await new Promise(resolve => setImmediate(resolve))
    else await Promise.race([new Promise(resolve => socket.once('drain', resolve)), end])
  }
  socket.destroy()
}

async function closed (socket: Socket): Promise<void> {
  if (!socket.destroyed) await new Promise<void>(resolve => socket.once('close', () => resolve()))
}

/** The gateway has said something, or closed. */
async function answered (socket: Socket): Promise<void> {
  await Promise.race([new Promise(resolve => socket.once('data', resolve)), closed(socket)])
}

/** One client that pours, and comes again when it is closed. */
function pouring (more: (n: number) => Buffer, clientId = 'attacker', parallel = 1): Attack {
  return async (port, signal) => await over(signal, parallel, async () => {
    const socket = open(port)
    let n = 0
    socket.write(connectPacket(`${clientId}-${named++}`))
    await pour(socket, signal, () => more(n++))
    await sleep(5)
  })
}

/** A subscriber of everything, and somebody who publishes to it. `reads`: it takes what comes, but acknowledges nothing. */
function deafSubscriber (reads: boolean): Attack {
  return async (port, signal) => {
    const noise = open(port)
    noise.write(connectPacket(`noise-${named++}`))
    const flood = pour(noise, signal, () => publishPacket('noise', Buffer.alloc(10_000), { id: named++ % 65_535 + 1 }))
    await over(signal, 1, async () => {
      const socket = open(port)
      socket.write(Buffer.concat([connectPacket(`deaf-${named++}`), subscribePacket(1, ['#'], 1)]))
      if (!reads) socket.pause()
      await Promise.race([closed(socket), sleep(2000)])
      socket.destroy()
    })
    await flood
  }
}

export const attacks: Readonly<Record<string, Attack>> = {
  nothing: async (_port, signal) => { while (!signal.aborted) await sleep(50) },
  'silent sockets': async (port, signal) => {
    const sockets: Socket[] = []
    while (!signal.aborted) {
      for (let n = 0; n < 20; n++) sockets.push(open(port))
      await sleep(10)
    }
    for (const socket of sockets) socket.destroy()
  },
  'slow CONNECTs': async (port, signal) => await over(signal, 500, async () => {
    const socket = open(port)
    for (const byte of connectPacket(`slow-${named++}`)) {
      if (signal.aborted || socket.destroyed) break
      socket.write(Buffer.from([byte]))
      await sleep(700)
    }
    socket.destroy()
  }),
  'lengths of 256 MB': async (port, signal) => await over(signal, 16, async () => {
    const socket = open(port)
    socket.write(named++ % 2 === 0 ? Buffer.from('10ffffff7f', 'hex') : Buffer.concat([connectPacket(`huge-${named}`), Buffer.from('30ffffff7f', 'hex')]))
    await pour(socket, signal, () => Buffer.alloc(65_536))
  }),
  'connects and leaves': async (port, signal) => await over(signal, 32, async () => {
    const socket = open(port)
    socket.write(connectPacket(`flood-${named++}`))
    await answered(socket)
    socket.destroy()
  }),
  'takeovers of one id': async (port, signal) => await over(signal, 20, async () => {
    const socket = open(port)
    socket.write(connectPacket('one-id'))
    await Promise.race([closed(socket), sleep(500)])
    socket.destroy()
  }),
  'topics of 65 kB': pouring(() => packet(0x30, text(slashes)), 'bomb', 4),
  'filters without end': pouring(n => subscribePacket(n % 65_535 + 1, Array.from({ length: 50 }, (_, i) => `many/${n}/${i}`), 1)),
  'retained messages without end': pouring(n => publishPacket(`kept/${n}`, kilobyte.subarray(0, 100), { id: n % 65_535 + 1, retain: true })),
  'sessions without end': async (port, signal) => await over(signal, 16, async () => {
    const socket = open(port)
    socket.write(Buffer.concat([connectPacket(`session-${named++}`, { clean: false }), subscribePacket(1, ['own/topic'], 1)]))
    await answered(socket)
    socket.destroy()
  }),
  'wills without end': async (port, signal) => await over(signal, 16, async () => {
    const socket = open(port)
    const n = named++
    socket.write(connectPacket(`will-${n}`, { will: { topic: `will/${n}`, payload: kilobyte } }))
    await answered(socket)
    socket.destroy()
  }),
  'a subscriber that does not read': deafSubscriber(false),
  'a subscriber that does not acknowledge': deafSubscriber(true),
  'messages as fast as can be': pouring(() => Buffer.concat(Array.from({ length: 100 }, () => publishPacket('noise', kilobyte.subarray(0, 50))))),
  'QoS 2 without PUBREL': pouring(n => publishPacket('noise', kilobyte.subarray(0, 10), { id: n % 65_535 + 1, qos: 2 })),
  'payloads that are no telemetry': pouring(n => publishPacket('iot/v1/garbage/tele', Buffer.from(`garbage ${n}`), { id: n % 65_535 + 1 })),
  'a byte a segment': pouring(n => publishPacket('noise', uint16(n & 0xffff)).subarray(n % 8, n % 8 + 1), 'bytes', 8)
}
