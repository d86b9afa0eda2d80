import t from 'tap'
import { decode, rangesOf } from '../../bridge/decode.ts'
import { rawDelivery, teleDelivery, testNow } from '../helpers/bridge.ts'

const range = { from: testNow - 400 * 86_400_000, to: testNow + 86_400_000 }
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

t.test('telemetry becomes its readings', async t => {
  const { telemetry, rejection } = decode(teleDelivery({ count: 3, seq: 5 }), range)
  t.equal(rejection, null)
  t.strictSame(telemetry!.readings.map(({ seq, ts }) => [seq, ts]), [[5, testNow + 5_000], [6, testNow + 6_000], [7, testNow + 7_000]])
})

t.test('what cannot be decoded is dead with code, rule and offset, and all readings of the receipt', async t => {
  const { telemetry, rejection } = decode(rawDelivery({ payload: utf8('hello'), readings: 1 }), range)
  t.equal(telemetry, null)
  t.match(rejection, { stage: 'decode', code: 'ISO_TELEMETRY_CBOR', reason: /\(offset 0\)$/, readings: 1, seqs: [] })
  t.match(decode(rawDelivery({ payload: new Uint8Array(), readings: 7 }), range).rejection, { readings: 7 }, 'an older gateway may have counted more')
})

t.test('readings that are too old or too far ahead are dead by themselves, their neighbours are not', async t => {
  const { telemetry, rejection } = decode(teleDelivery({ count: 4, ts: range.to - 1000, seq: 10 }), range)
  t.strictSame(telemetry!.readings.map(({ seq }) => seq), [10, 11])
  t.match(rejection, { stage: 'time', code: 'ISO_READING_TIME', readings: 2, seqs: [[7, 12, 13]], reason: /^2026-09-22T14:13:21.000Z is later than 2026-09-22T14:13:20.000Z/ })
  const old = decode(teleDelivery({ count: 2, ts: range.from - 1000 }), range)
  t.strictSame(old.telemetry!.readings.map(({ seq }) => seq), [1])
  t.match(old.rejection, { readings: 1, seqs: [[7, 0, 0]], reason: /is older than/ })
})

t.test('a message of which every reading is out of range stores nothing', async t => {
  const { telemetry, rejection } = decode(teleDelivery({ count: 2, ts: 0 }), range)
  t.equal(telemetry, null)
  t.match(rejection, { readings: 2, seqs: [[7, 0, 1]] })
})

t.test('a message that is decoded to another number of readings than it was received with is dead as it was counted', async t => {
  const { telemetry, rejection } = decode({ ...teleDelivery({ count: 3 }), readings: 2 }, range)
  t.equal(telemetry, null)
  t.match(rejection, { code: 'ISO_DELIVERY_READINGS', readings: 2, reason: 'received as 2, decoded to 3' })
})

t.test('a state is online or offline, and nothing else', async t => {
  t.match(decode(rawDelivery({ kind: 'state', payload: utf8('offline') }), range), { state: 'offline', rejection: null })
  t.match(decode(rawDelivery({ kind: 'state', payload: utf8('gone') }), range), { state: null, rejection: { code: 'ISO_STATE_INVALID', readings: 0 } })
})

t.test('a birth is what its shape says', async t => {
  const birth = { v: 1, device: 'dev-1', boot: 7, firmware: '1.0.0', sensor: 'BMP180', intervalMs: 1000, oversampling: 3, at: testNow }
  t.strictSame(decode(rawDelivery({ kind: 'birth', payload: utf8(JSON.stringify(birth)) }), range).birth, birth)
  t.match(decode(rawDelivery({ kind: 'birth', payload: utf8('{') }), range), { birth: null, rejection: { code: 'ISO_BIRTH_INVALID', readings: 0 } })
})

t.test('seqs are told as ranges', async t => {
  t.strictSame(rangesOf(7, [1, 2, 3, 5, 9, 10].map(seq => ({ seq }))), [[7, 1, 3], [7, 5, 5], [7, 9, 10]])
  t.strictSame(rangesOf(7, []), [])
})
