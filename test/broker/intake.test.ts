import t from 'tap'
import { Intake } from '../../broker/intake.ts'
import { type InPublish } from '../../broker/packet.ts'
import { packets } from '../helpers/raw-mqtt.ts'

function nameOf (taken: InPublish | Buffer): string | Buffer {
  return Buffer.isBuffer(taken) ? taken : taken.topic
}

/** What an intake makes of bytes, in order: PUBLISHes that it read, and bytes that it passed on. */
function takenOf (...chunks: Buffer[]): Array<InPublish | Buffer> {
  const taken: Array<InPublish | Buffer> = []
  const intake = new Intake({ publish: packet => taken.push(packet), feed: bytes => taken.push(bytes) })
  for (const chunk of chunks) intake.take(chunk)
  return taken
}

t.test('a PUBLISH of QoS 0 or 1 is read as Aedes would read it', async t => {
  t.same(takenOf(packets.publish({ topic: 'iot/v1/dev-1/tele', payload: 'four', qos: 1, id: 0x1234, dup: true })), [
    { cmd: 'publish', topic: 'iot/v1/dev-1/tele', payload: Buffer.from('four'), qos: 1, retain: false, dup: true, messageId: 0x1234, length: 25 }
  ])
  t.same(takenOf(packets.publish({ topic: 'a', retain: true })), [
    { cmd: 'publish', topic: 'a', payload: Buffer.alloc(0), qos: 0, retain: true, dup: false, messageId: undefined, length: 3 }
  ])
})

t.test('packets of other kinds pass in their place, side by side in one piece', async t => {
  const publish = packets.publish({ topic: 'a', payload: 'x', qos: 1, id: 1 })
  const exact = packets.publish({ topic: 'b', payload: 'x', qos: 2, id: 2 })
  const taken = takenOf(Buffer.concat([packets.puback(1), packets.puback(2), publish, publish, exact, packets.subscribe(3, ['x', 0]), publish]))
  t.same(taken.map(nameOf), [
    Buffer.concat([packets.puback(1), packets.puback(2)]), 'a', 'a', Buffer.concat([exact, packets.subscribe(3, ['x', 0])]), 'a'
  ])
})

t.test('a long packet is read by its length of several bytes', async t => {
  const payload = Buffer.alloc(20_000, 7)
  const [long, next] = takenOf(Buffer.concat([packets.publish({ topic: 'a', payload, qos: 1, id: 1 }), packets.publish({ topic: 'b' })])) as InPublish[]
  t.same(long!.payload, payload)
  t.equal(next!.topic, 'b')
})

t.test('each packet has its own topic, whatever the one before had', async t => {
  const topics = ['iot/v1/dev-1/tele', 'iot/v1/dev-1/tele', 'iot/v1/dev-2/tele', 'iot/v1/dev-2', 'a', 'iot/v1/dev-1/tele']
  t.same(takenOf(...topics.map(topic => packets.publish({ topic }))).map(one => (one as InPublish).topic), topics)
})

t.test('a topic is kept after the bytes that it came in have changed', async t => {
  const taken: InPublish[] = []
  const intake = new Intake({ publish: packet => taken.push(packet), feed: () => {} })
  const bytes = packets.publish({ topic: 'abc' })
  intake.take(bytes)
  bytes.write('xyz', 4)
  intake.take(bytes)
  intake.take(packets.publish({ topic: 'abc' }))
  t.same(taken.map(({ topic }) => topic), ['abc', 'xyz', 'abc'])
})

const header = (qos: number): number => 0x30 | qos << 1
const irregular: Record<string, Buffer> = {
  'an empty topic': packets.publish({ topic: '' }),
  'a wildcard': packets.publish({ topic: 'a/+' }),
  'a hash': packets.publish({ topic: '#' }),
  'a NUL': packets.publish({ topic: 'a\0' }),
  'letters beyond ASCII': packets.publish({ topic: 'größe' }),
  'more than 16 levels': packets.publish({ topic: Array(17).fill('a').join('/') }),
  'packet id 0': packets.publish({ topic: 'a', qos: 1, id: 0 }),
  'QoS 2': packets.publish({ topic: 'a', qos: 2, id: 1 }),
  'QoS 3': Buffer.from([header(3), 5, 0, 1, 0x61, 0, 1]),
  'a topic beyond its end': Buffer.from([header(0), 4, 0, 9, 0x61, 0x62]),
  'no room for the packet id': Buffer.from([header(1), 3, 0, 1, 0x61]),
  'no body': Buffer.from([header(0), 0])
}
for (const [what, bytes] of Object.entries(irregular)) {
  t.test(`a PUBLISH with ${what} is left to Aedes`, async t => {
    t.same(takenOf(Buffer.concat([packets.publish({ topic: 'a' }), bytes, packets.publish({ topic: 'b' })])).map(nameOf), ['a', bytes, 'b'])
  })
}
