import t from 'tap'
import { seededRandom } from '../../../lib/random.ts'
import { Framer } from '../../../broker/gate/framer.ts'
import { packets } from '../../helpers/raw-mqtt.ts'

const maxBytes = 64_000

/** All frames that are in the bytes so far. */
function framesOf (framer: Framer, max = maxBytes): Buffer[] {
  const frames: Buffer[] = []
  while (framer.peek(max) === 'frame') {
    frames.push(Buffer.from(framer.source.subarray(framer.start, framer.end)))
    framer.take()
  }
  return frames
}

t.test('packets come out whole and in order, however the bytes are cut', async t => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seededRandom(seed)
    const sent = Array.from({ length: 20 }, () => packets.publish({ topic: 'a/b', payload: Buffer.alloc(Math.floor(random() * (random() < 0.1 ? 30_000 : 200)), 1), qos: 1, id: 7 }))
    const bytes = Buffer.concat([...sent, packets.pingreq()])
    const longest = random() < 0.5 ? 8 : 5000
    const framer = new Framer()
    const frames: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + Math.floor(random() * longest)
      framer.push(bytes.subarray(at, end))
      frames.push(...framesOf(framer))
      at = end
    }
    t.ok(Buffer.concat(frames).equals(bytes) && frames.length === sent.length + 1, `seed ${seed}`)
  }
})

t.test('a packet that lies in one chunk is not copied', async t => {
  const chunk = Buffer.concat([packets.pingreq(), packets.puback(1)])
  const framer = new Framer()
  framer.push(chunk)
  t.equal(framer.peek(maxBytes), 'frame')
  t.equal(framer.source, chunk)
})

t.test('a length over the limit is told at its last byte, before a byte of the body', async t => {
  const header = packets.publish({ topic: 'a', payload: Buffer.alloc(70_000) }).subarray(0, 4)
  const framer = new Framer()
  for (const byte of header.subarray(0, 3)) {
    framer.push(Buffer.from([byte]))
    t.equal(framer.peek(maxBytes), 'more')
  }
  framer.push(header.subarray(3, 4))
  t.equal(framer.peek(maxBytes), 'tooLong')
})

t.test('the limit counts the header too', async t => {
  const packet = packets.publish({ topic: 'a', payload: Buffer.alloc(100) })
  for (const [limit, found] of [[packet.length, 'frame'], [packet.length - 1, 'tooLong']] as const) {
    const framer = new Framer()
    framer.push(packet)
    t.equal(framer.peek(limit), found)
  }
})

t.test('a length of five bytes is refused, whole or in pieces [MQTT-2.2.3]', async t => {
  const bytes = Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01])
  const whole = new Framer()
  whole.push(bytes)
  t.equal(whole.peek(2 ** 40), 'badLength')
  const pieces = new Framer()
  pieces.push(bytes.subarray(0, 3))
  t.equal(pieces.peek(2 ** 40), 'more')
  pieces.push(bytes.subarray(3))
  t.equal(pieces.peek(2 ** 40), 'badLength')
})

t.test('needless bytes of a length are legal', async t => {
  const framer = new Framer()
  framer.push(Buffer.from([0xc0, 0x80, 0x00, 0xc0, 0x00]))
  t.same(framesOf(framer).map(frame => frame.length), [3, 2])
})

t.test('a chunk that comes before the last one was read is a fault of the caller', async t => {
  const framer = new Framer()
  framer.push(packets.pingreq())
  t.throws(() => framer.push(packets.pingreq()), /not been read/)
})
