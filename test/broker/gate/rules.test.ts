import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Gate, type Step } from '../../../broker/gate/gate.ts'
import { rules, type Rule } from '../../../broker/rules.ts'
import { packageRoot } from '../../../lib/package.ts'
import { defaultLimits } from '../../helpers/broker.ts'
import { packets } from '../../helpers/raw-mqtt.ts'

// Bytes by hand: each is a packet that breaks one rule and is right in all else.

const connect = packets.connect({ clientId: 'dev-1' })

/** `bytes` at a gate that nobody has logged in at, or (`open`) behind a login. */
function verdict (bytes: Buffer, open: boolean): Step | null {
  const gate = new Gate(defaultLimits)
  const room = { publishes: 100, bytes: 64_000, idle: true, filters: 100, others: 100 }
  if (open) {
    gate.push(connect)
    gate.next(room)
    gate.next(room)
    gate.answered()
  }
  gate.push(bytes)
  return gate.next(room)
}

function hex (text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

/** A CONNECT with these parts; the remaining length is put before them. */
function connectOf (...parts: string[]): Buffer {
  const body = hex(parts.join(''))
  return Buffer.concat([Buffer.from([0x10, body.length]), body])
}

const mqtt = '00044d515454'
const id = '000161'
const deep = `a${'/a'.repeat(8)}`
const long = 'a'.repeat(129)

const first: ReadonlyArray<readonly [Rule, Buffer]> = [
  ['firstPacket', packets.publish({ topic: 'a' })],
  ['firstPacket', packets.pingreq()],
  ['packetType', hex('00 00')],
  ['packetType', hex('f0 00')],
  ['packetFlags', hex('16 03 010200')],
  ['packetFlags', Buffer.concat([hex('11'), connect.subarray(1)])],
  ['packetLength', hex('10 80 80 80 80 01')],
  ['packetSize', hex('10 81 20')],
  ['protocolName', connectOf('00044d515458', '04', '02', '0000', id)],
  ['protocolName', connectOf('0000', '04', '02', '0000', id)],
  ['protocolLevel', connectOf(mqtt, '05', '02', '0000', '00', id)],
  ['protocolLevel', connectOf(mqtt, '03', '02', '0000', id)],
  ['protocolLevel', connectOf(mqtt, '84', '02', '0000', id)],
  ['protocolLevel', connectOf('00064d5149736470', '04', '02', '0000', id)],
  ['connectFlags', connectOf(mqtt, '04', '03', '0000', id)],
  ['willFlags', connectOf(mqtt, '04', '0a', '0000', id)],
  ['willFlags', connectOf(mqtt, '04', '22', '0000', id)],
  ['willQos', connectOf(mqtt, '04', '1e', '0000', id, '000177', '0000')],
  ['willTopic', connectOf(mqtt, '04', '06', '0000', id, '0000', '0000')],
  ['willTopic', connectOf(mqtt, '04', '06', '0000', id, '0003612f23', '0000')],
  ['willTopic', connectOf(mqtt, '04', '06', '0000', id, '00012b', '0000')],
  ['willDollarTopic', connectOf(mqtt, '04', '06', '0000', id, '000224 61', '0000')],
  ['topicLevels', packets.connect({ clientId: 'a', will: { topic: deep, payload: '' } })],
  ['topicBytes', packets.connect({ clientId: 'a', will: { topic: long, payload: '' } })],
  ['passwordWithoutUser', connectOf(mqtt, '04', '42', '0000', id, '000170')],
  ['passwordNull', connectOf(mqtt, '04', 'c2', '0000', id, '000175', '0003 70 00 71')],
  ['clientIdEmpty', connectOf(mqtt, '04', '00', '0000', '0000')],
  ['clientIdCharacters', connectOf(mqtt, '04', '02', '0000', '0003 61 2b 61')],
  ['clientIdBytes', packets.connect({ clientId: long })],
  ['utf8', connectOf(mqtt, '04', '02', '0000', '0003 ed a0 80')],
  ['utf8', connectOf(mqtt, '04', '02', '0000', '0002 c0 80')],
  ['utf8', connectOf(mqtt, '04', '82', '0000', id, '0001 ff')],
  ['nullCharacter', connectOf(mqtt, '04', '02', '0000', '0003 61 00 61')],
  ['controlCharacter', connectOf(mqtt, '04', '02', '0000', '0001 1b')],
  ['packetEnd', connectOf(mqtt, '04', '02', '0000')],
  ['packetEnd', connectOf(mqtt, '04', '02', '0000', '0002 61')],
  ['packetEnd', connectOf(mqtt, '04', '02', '0000', id, '00')],
  ['packetEnd', connectOf(mqtt, '04', '06', '0000', id, '000177')],
  ['packetEnd', connectOf(mqtt, '04', '82', '0000', id)],
  ['packetEnd', connectOf(mqtt, '04', '02', '0000', id, '000175')],
  ['packetEnd', connectOf(mqtt)]
]

const later: ReadonlyArray<readonly [Rule, Buffer]> = [
  ['secondConnect', connect],
  ['serverPacket', hex('20 02 0000')],
  ['serverPacket', hex('90 03 0001 00')],
  ['serverPacket', hex('b0 02 0001')],
  ['serverPacket', hex('d0 00')],
  ['packetSize', hex('30 81 f4 03')],
  ['publishQos', hex('36 05 0001 61 0001')],
  ['publishDup', hex('38 03 0001 61')],
  ['topicEmpty', hex('30 02 0000')],
  ['topicWildcard', hex('30 03 0001 2b')],
  ['topicWildcard', hex('30 05 0003 61 2f 23')],
  ['dollarTopic', packets.publish({ topic: '$SYS/x/new/clients' })],
  ['topicBytes', packets.publish({ topic: long })],
  ['topicLevels', packets.publish({ topic: deep })],
  ['packetId', hex('32 05 0001 61 0000')],
  ['packetEnd', hex('30 01 00')],
  ['packetEnd', hex('30 03 0002 61')],
  ['packetEnd', hex('32 04 0001 61 00')],
  ['utf8', hex('30 04 0002 c3 28')],
  ['utf8', hex('30 05 0003 ed a0 80')],
  ['nullCharacter', hex('30 03 0001 00')],
  ['nullCharacter', hex('30 05 0003 c3 a9 00')],
  ['controlCharacter', hex('30 03 0001 0a')],
  ['controlCharacter', hex('30 04 0002 c2 85')],
  ['controlCharacter', hex('30 05 0003 ef bf bf')],
  ['packetFlags', hex('41 02 0001')],
  ['packetFlags', hex('60 02 0001')],
  ['packetFlags', hex('80 06 0001 0001 61 00')],
  ['packetFlags', hex('a0 05 0001 0001 61')],
  ['packetFlags', hex('c1 00')],
  ['packetFlags', hex('e2 00')],
  ...['40', '50', '62', '70'].flatMap(type => [['packetId', hex(`${type} 02 0000`)], ['packetEnd', hex(`${type} 01 00`)], ['packetEnd', hex(`${type} 03 0001 00`)]] as const),
  ['packetEnd', hex('c0 01 00')],
  ['packetEnd', hex('e0 01 00')],
  ['packetId', hex('82 06 0000 0001 61 00')],
  ['packetId', hex('a2 05 0000 0001 61')],
  ['noFilter', hex('82 02 0001')],
  ['noFilter', hex('a2 02 0001')],
  ['subscribeQos', hex('82 06 0001 0001 61 03')],
  ['subscribeQos', hex('82 06 0001 0001 61 04')],
  ['filterEmpty', hex('82 05 0001 0000 00')],
  ['filterEmpty', hex('a2 04 0001 0000')],
  ...['a#', '#/a', 'a/#/b', '##'].flatMap(filter => [['filterHash', packets.subscribe(1, [filter, 0])], ['filterHash', packets.unsubscribe(1, filter)]] as const),
  ...['a+', '+a', 'a+/b', 'b/+a', '++'].flatMap(filter => [['filterPlus', packets.subscribe(1, ['ok', 1], [filter, 0])], ['filterPlus', packets.unsubscribe(1, filter)]] as const),
  ['packetEnd', hex('82 05 0001 0001 61')],
  ['packetEnd', hex('82 05 0001 0002 61')],
  ['packetEnd', hex('a2 05 0001 0002 61')],
  ['packetEnd', hex('82 01 00')],
  ['packetEnd', hex('a2 01 00')],
  ['nullCharacter', packets.subscribe(1, ['a\0', 0])],
  ['utf8', hex('a2 06 0001 0002 c3 28')]
]

t.test('a packet that breaks a rule is refused with the name of this rule, before the login', async t => {
  for (const [rule, bytes] of first) t.match(verdict(bytes, false), { kind: 'refuse', rule }, `${rule}: ${bytes.toString('hex').slice(0, 60)}`)
})

t.test('a packet that breaks a rule is refused with the name of this rule, after the login', async t => {
  for (const [rule, bytes] of later) t.match(verdict(bytes, true), { kind: 'refuse', rule }, `${rule}: ${bytes.toString('hex').slice(0, 60)}`)
})

t.test('a packet that breaks no rule passes', async t => {
  const good: ReadonlyArray<readonly [Buffer, Step['kind']]> = [
    [packets.publish({ topic: 'a', payload: Buffer.from([0, 255]) }), 'pass'],
    [packets.publish({ topic: 'é/\u{1f321}/\ufeff', qos: 1, dup: true, id: 65_535 }), 'pass'],
    [packets.publish({ topic: '/', qos: 2, id: 1 }), 'pass'],
    [hex('30 83 00 0001 61'), 'pass'], // a length with a needless byte is legal in 3.1.1
    [packets.puback(1), 'pass'],
    [packets.pubrel(65_535), 'pass'],
    [packets.subscribe(1, ['#', 0], ['+/+/#', 1], ['+', 2], ['/', 0], ['$share/g/a', 0]), 'subscribe'],
    [packets.unsubscribe(1, 'a', 'a'), 'unsubscribe'],
    [packets.pingreq(), 'ping'],
    [packets.disconnect(), 'pass']
  ]
  for (const [bytes, kind] of good) t.match(verdict(bytes, true), { kind }, bytes.toString('hex'))
  const logins = [connect, packets.connect({ clientId: '' }), packets.connect({ clientId: 'a'.repeat(23), clean: false, keepalive: 65_535, will: { topic: 'w', payload: Buffer.from([0]), qos: 2, retain: true } }),
    connectOf(mqtt, '04', 'c2', '0000', id, '000175', '0002 ff 70'), connectOf('00064d5149736470', '03', '02', '0000', id)]
  for (const bytes of logins) t.match(verdict(bytes, false), { kind: 'pass' }, bytes.toString('hex'))
})

t.test('the refusal of a CONNECT has the code of its rule', async t => {
  t.match(verdict(connectOf(mqtt, '05', '02', '0000', '00', id), false), { code: 1 })
  t.match(verdict(connectOf(mqtt, '04', '00', '0000', '0000'), false), { code: 2 })
  t.match(verdict(connectOf(mqtt, '04', '06', '0000', id, '000224 61', '0000'), false), { code: 5 })
  t.match(verdict(packets.publish({ topic: 'a' }), false), { code: null })
})

t.test('docs/CONFORMANCE.md lists every rule with its clause and reaction, and no other', async t => {
  const rows = readFileSync(join(packageRoot, 'docs', 'CONFORMANCE.md'), 'utf8').split('\n').filter(line => /^\| `[a-zA-Z0-9]+` \|/.test(line))
  const documented = Object.fromEntries(rows.map(line => {
    const [, name, because, clause, reaction] = line.split('|').map(cell => cell.trim())
    return [name!.slice(1, -1), { because, clause: clause === 'ours' ? null : clause, reaction }]
  }))
  t.same(documented, rules)
})
