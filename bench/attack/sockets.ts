import { connect, type Socket } from 'node:net'
import { connectPacket } from '../packets.ts'

/** Where the gateway can be reached but by MQTT over TCP. */
export interface OtherPorts {
  readonly http: number
  readonly tls: number
}

/** What attackers do, until the signal aborts. */
export type Attacker = (port: number, signal: AbortSignal, others: OtherPorts) => Promise<void>

let named = 0

/** Another number each time: for client ids that nobody had before. */
export function another (): number {
  return named++
}

export function open (port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {}) // to be closed is what it is here for
  socket.resume()
  return socket
}

export async function sleep (ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}

export async function closed (socket: Socket): Promise<void> {
  if (!socket.destroyed) await new Promise<void>(resolve => socket.once('close', () => resolve()))
}

/** The gateway has said something, or closed. */
export async function answered (socket: Socket): Promise<void> {
  await Promise.race([new Promise(resolve => socket.once('data', resolve)), closed(socket)])
}

/** Runs `one` again and again, so many at a time. */
export async function over (signal: AbortSignal, parallel: number, one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: parallel }, async () => { while (!signal.aborted) await one() }))
}

/** Writes as fast as the gateway takes it, until the connection is closed or the attack ends. */
export async function pour (socket: Socket, signal: AbortSignal, more: () => Buffer): Promise<void> {
  const end = closed(socket)
  while (!signal.aborted && !socket.destroyed) {
    if (socket.write(more())) await new Promise(resolve => setImmediate(resolve))
    else await Promise.race([new Promise(resolve => socket.once('drain', resolve)), end])
  }
  socket.destroy()
}

/** Clients that pour, and come again when they are closed. */
export function pouring (more: (n: number) => Buffer, clientId = 'attacker', parallel = 1): (port: number, signal: AbortSignal) => Promise<void> {
  return async (port, signal) => await over(signal, parallel, async () => {
    const socket = open(port)
    let n = 0
    socket.write(connectPacket(`${clientId}-${another()}`))
    await pour(socket, signal, () => more(n++))
    await sleep(5)
  })
}

/** Clients that come, send, are answered and go, one after the other. */
export function coming (packets: (n: number) => Buffer, parallel: number): Attacker {
  return async (port, signal) => await over(signal, parallel, async () => {
    const socket = open(port)
    socket.write(packets(another()))
    await answered(socket)
    socket.destroy()
  })
}
