import { Duplex } from 'node:stream'
import { type WebSocket } from 'ws'

/**
 * MQTT's bytes over a WebSocket as a stream: the payloads of binary frames, one behind the other, wherever packets begin [MQTT-6.0.0-2]. The other side's end is the
 * stream's end; what came before can still be read. @param onFault a frame that is refused; the stream is destroyed then
 */
export function webSocketStream (socket: WebSocket, onFault: (detail: string) => void): Duplex {
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => socket.send(chunk, { binary: true }, done),
    final: done => {
      socket.close(1000)
      done()
    },
    destroy: (error, done) => {
      socket.terminate()
      done(error)
    }
  })
  const refuse = (detail: string): void => {
    if (stream.destroyed) return
    onFault(detail)
    stream.destroy()
  }
  socket.on('message', (payload, isBinary) => {
    if (!isBinary) refuse('a text frame') // [MQTT-6.0.0-1]
    else if (!stream.destroyed && !stream.push(payload)) socket.pause()
  })
  socket.on('error', error => { if (isFaultOfFrame(error)) refuse(error.message) })
  socket.on('close', () => { if (!stream.destroyed) stream.push(null) })
  return stream
}

/** What ws says of bytes that are no frames, or of frames that are too long; anything else is the network's. */
function isFaultOfFrame (error: Error & { readonly code?: string }): boolean {
  return error.code?.startsWith('WS_ERR_') === true
}
