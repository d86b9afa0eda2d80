import t from 'tap'
import { MessageChannel } from 'node:worker_threads'
import { once } from 'node:events'
import { type Settled } from '../../schemas/delivery.ts'
import { buffersOf, packSettled, unpackSettled, type PackedSettled } from '../../schemas/thread.ts'
import { type DeviceId } from '../../schemas/topics.ts'

const settled: Settled[] = [
  { number: 1, deviceId: 'dev-1' as DeviceId, stored: 500, duplicate: 0, dead: 0 },
  { number: 2 ** 53 - 1, deviceId: 'dev-2' as DeviceId, stored: 1, duplicate: 2, dead: 65_535 },
  { number: 3, deviceId: 'dev-1' as DeviceId, stored: 0, duplicate: 0, dead: 0 }
]

t.test('what is unpacked is what was packed', async t => {
  t.strictSame(unpackSettled(packSettled(settled)), settled)
  t.strictSame(unpackSettled(packSettled([])), [])
  t.strictSame(packSettled(settled).devices, ['dev-1', 'dev-2'], 'a device stands there once')
})

t.test('a packed message moves to another thread without a copy', async t => {
  const { port1, port2 } = new MessageChannel()
  const packed = packSettled(settled)
  const arrived = once(port2, 'message')
  port1.postMessage(packed, buffersOf(packed))
  t.equal(packed.number.length, 0, 'this side has it no more')
  const [message] = await arrived as [PackedSettled]
  t.strictSame(unpackSettled(message), settled)
  port1.close()
})
