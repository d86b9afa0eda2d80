import { connect as connectTls } from 'node:tls'
import { type Socket } from 'node:net'
import { connectPacket } from '../packets.ts'
import { answered, closed, open, over, pour, sleep, type Attacker } from './sockets.ts'

// Attacks on what stands before MQTT: passwords, TLS, WebSocket and HTTP.

const megabyte = Buffer.alloc(1_000_000)
let tried = 0

/** A socket that has asked for a WebSocket. */
function upgrade (http: number, origin?: string): Socket {
  const socket = open(http)
  socket.write([
    'GET /mqtt HTTP/1.1',
    `Host: 127.0.0.1:${http}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: mqtt',
    ...origin === undefined ? [] : [`Origin: ${origin}`],
    '', ''
  ].join('\r\n'))
  return socket
}

export const loginAttacks: Readonly<Record<string, Attacker>> = {
  'guessed passwords': async (port, signal) => await over(signal, 200, async () => {
    const socket = open(port)
    socket.write(connectPacket(`guess-${tried}`, { user: tried % 2 === 0 ? 'alice' : `user-${tried}`, password: `guess ${tried++}` }))
    await Promise.race([closed(socket), sleep(2000)])
    socket.destroy()
  }),
  'TLS handshakes': async (_port, signal, { tls }) => await over(signal, 64, async () => {
    const socket = connectTls({ port: tls, host: '127.0.0.1', rejectUnauthorized: false })
    socket.on('error', () => {}) // to be closed is what it is here for
    await new Promise<void>(resolve => socket.once('secureConnect', () => resolve()).once('close', () => resolve()))
    socket.destroy()
  }),
  'TLS handshakes that do not go on': async (_port, signal, { tls }) => await over(signal, 500, async () => {
    const socket = open(tls)
    socket.write(Buffer.from('1603010200010001fc0303', 'hex')) // the head of a ClientHello
    await Promise.race([closed(socket), sleep(5000)])
    socket.destroy()
  }),
  'WebSockets without Origin': async (_port, signal, { http }) => await over(signal, 64, async () => {
    const socket = upgrade(http)
    await answered(socket)
    socket.destroy()
  }),
  'WebSockets of foreign pages': async (_port, signal, { http }) => await over(signal, 64, async () => {
    const socket = upgrade(http, 'https://evil.example')
    await answered(socket)
    socket.destroy()
  }),
  'oversized WebSocket frames': async (_port, signal, { http }) => await over(signal, 16, async () => {
    const socket = upgrade(http)
    await answered(socket)
    socket.write(Buffer.from('82ff0000000006400000aabbccdd', 'hex')) // binary, masked, 100 MiB
    await pour(socket, signal, () => megabyte)
  }),
  'slow HTTP bodies': async (_port, signal, { http }) => await over(signal, 500, async () => {
    const socket = open(http)
    socket.write(`POST /api/v1/access/reload HTTP/1.1\r\nHost: 127.0.0.1:${http}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`)
    while (!signal.aborted && !socket.destroyed) {
      socket.write('{')
      await sleep(500)
    }
    socket.destroy()
  })
}
