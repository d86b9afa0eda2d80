import t from 'tap'
import { decodeGroup, deliveriesIn, GroupWriter, ledgerOf, receivedAtOf, setBit } from '../../schemas/delivery-bytes.ts'
import { type Incoming } from '../../schemas/delivery.ts'
import { incoming } from '../helpers/inbox.ts'

function groupOf (deliveries: readonly Incoming[], writer = new GroupWriter()): Uint8Array {
  writer.reset()
  for (const delivery of deliveries) writer.add(delivery)
  return writer.finish().slice()
}

/** A delivery as it is read back. */
function asRead (first: number, deliveries: readonly Incoming[]): unknown[] {
  return deliveries.map(({ boot, lastSeq, ...rest }, place) => ({ number: first + place, ...rest }))
}

t.test('a group has the bytes that its layout says', async t => {
  const group = groupOf([incoming({ deviceId: 'a', clientId: 'c', topic: 't', receivedAt: 2, readings: 3, payload: Buffer.from('ff00', 'hex') })])
  t.equal(Buffer.from(group).toString('hex'), [
    '01000000', '01000000', '2e000000', '00000000', '0000000000000040', // one delivery, one origin at 46, received at 2
    '02000000', '00000000', '03000000', '0000000000000040', 'ff00', // two payload bytes, origin 0, three readings
    '00', '01', '0100', '0100', '61', '74', '63' // tele; device, topic, clientId
  ].join(''))
})

t.test('what is written is read back, whatever is in it', async t => {
  const deliveries = [
    incoming(),
    incoming({ deviceId: 'd'.repeat(64), kind: 'birth', clientId: 'ß€😀', receivedAt: 1_790_000_000_123.5, readings: 0, boot: null, lastSeq: null, payload: new Uint8Array(0) }),
    incoming({ topic: 'a/b'.repeat(10_000), clientId: '', readings: 500 }),
    incoming({ payload: new Uint8Array(200_000).fill(0xa5) }), // the buffer has to grow
    incoming({ kind: 'state', topic: 'iot/v1/dev-1/state', payload: Buffer.from('online') })
  ]
  const group = groupOf(deliveries)
  t.same(decodeGroup(41, group, 0, null), asRead(41, deliveries))
  t.equal(deliveriesIn(group), 5)
  t.equal(receivedAtOf(group), deliveries[0]!.receivedAt)
})

t.test('the replay of a dead letter has its mark, and stands as an origin of its own', async t => {
  const id = '00ff'.repeat(8)
  const replay = incoming({ deviceId: 'a', clientId: 'c', topic: 't', receivedAt: 2, readings: 3, boot: null, lastSeq: null, payload: Buffer.from('ff00', 'hex'), replayOf: id })
  t.equal(Buffer.from(groupOf([replay])).toString('hex'), [
    '01000000', '01000000', '2e000000', '00000000', '0000000000000040',
    '02000000', '00000000', '03000000', '0000000000000040', 'ff00',
    '80', '01', '0100', '0100', '61', '74', '63', id // bit 7 of the kind; device, topic, clientId, letter
  ].join(''))
  const deliveries = [incoming(), { ...incoming(), replayOf: id }, incoming(), { ...incoming(), replayOf: 'ab'.repeat(16) }, { ...incoming({ kind: 'birth' }), replayOf: id }]
  t.same(decodeGroup(1, groupOf(deliveries), 0, null), asRead(1, deliveries))
})

t.test('a group of format 1 is read as it is', async t => {
  const group = Buffer.from('01000000010000002e000000000000000000000000000040' + '0200000000000000030000000000000000000040ff00' + '000101000100617463', 'hex')
  t.match(decodeGroup(1, group, 0, null), [{ number: 1, deviceId: 'a', kind: 'tele', topic: 't', clientId: 'c', readings: 3, replayOf: null }])
})

t.test('payloads are views of the group, not copies', async t => {
  const group = groupOf([incoming(), incoming()])
  for (const { payload } of decodeGroup(1, group, 0, null)) t.equal(payload.buffer, group.buffer)
})

t.test('reading starts at a number and leaves out what is settled', async t => {
  const group = groupOf(Array.from({ length: 20 }, () => incoming()))
  const settled = new Uint8Array(3)
  for (const place of [0, 7, 8, 19]) setBit(settled, place)
  t.same(decodeGroup(100, group, 105, settled).map(({ number }) => number), [105, 106, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118])
  t.same(decodeGroup(100, group, 120, null), [])
})

t.test('the ledger has readings and device of each delivery', async t => {
  const group = groupOf([incoming({ readings: 4 }), incoming({ deviceId: 'dev-2', readings: 1 }), incoming({ readings: 0 })])
  t.same(ledgerOf(group), { deliveries: 3, readings: new Uint32Array([4, 1, 0]), devices: ['dev-1', 'dev-2', 'dev-1'] })
})

t.test('a writer sums up what each origin sent, in the order of its deliveries', async t => {
  const writer = new GroupWriter()
  groupOf([incoming({ readings: 9 })], writer)
  const first = incoming({ readings: 2, boot: 7, lastSeq: 1 })
  const deliveries = [first, incoming({ deviceId: 'dev-2', readings: 1, boot: null, lastSeq: null }), { ...first, readings: 3, lastSeq: 4 }, { ...first, clientId: 'bridge', readings: 1, boot: 8, lastSeq: 0 }, first]
  const group = groupOf(deliveries, writer)
  t.same(decodeGroup(1, group, 0, null), asRead(1, deliveries), 'the writer can be used again')
  t.same(writer.origins.map(({ deviceId, clientId, readings, lastBoot, lastSeq }) => [deviceId, clientId, readings, lastBoot, lastSeq]), [
    ['dev-1', 'dev-1', 5, 7, 4],
    ['dev-2', 'dev-2', 1, null, null],
    ['dev-1', 'bridge', 1, 8, 0],
    ['dev-1', 'dev-1', 2, 7, 1]
  ])
})
