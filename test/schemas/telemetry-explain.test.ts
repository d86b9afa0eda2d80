import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { explainTelemetry } from '../../schemas/telemetry-explain.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { drawTelemetry, golden, hexBytes } from '../helpers/telemetry.ts'

t.test('each item of a message has its name, with units and the time of the reading', async t => {
  const { items, decoded, unexplainedBytes } = explainTelemetry(hexBytes(golden[0]!.hex))
  t.equal(decoded.ok, true)
  t.equal(unexplainedBytes, 0)
  t.equal(items.map(({ notation }) => notation).join(''), '{0:1,1:2671516203,2:160,3:1789999999,6:[[123,210,98800]]}')
  t.strictSame(items.map(({ at, meaning }) => [at, meaning]), [
    [0, 'telemetry, 5 pairs'],
    [1, 'version of the format'], [2, ''],
    [3, 'boot'], [4, '0x9f3c1a2b'],
    [9, 'seq of the first row'], [10, ''],
    [12, 'base time'], [13, '2026-09-21T14:13:19.000Z'],
    [18, 'rows'], [19, '1 row'],
    [20, 'row 0, seq 160'],
    [21, 'dt +123 ms: 2026-09-21T14:13:19.123Z'], [23, 'temperature 21.0 °C'], [25, 'pressure 988.00 hPa']
  ])
})

t.test('clock, status and missing values are named; times add up', async t => {
  const meanings = explainTelemetry(hexBytes(golden[1]!.hex)).items.map(({ meaning }) => meaning)
  for (const meaning of ['unsynchronised', 'sensor fault', 'temperature -5.2 °C', 'pressure: the sensor gave none', 'row 1, seq 1', 'dt +1000 ms: 2026-09-21T14:13:20.000Z', 'temperature: the sensor gave none']) {
    t.ok(meanings.includes(meaning), meaning)
  }
})

t.test('the item that breaks a rule is marked, and what follows is named as well as it goes', async t => {
  const message = (rows: string, before = 'a5 0001 0107 0200 031a6ab13b7f'): Uint8Array => hexBytes(`${before} 06 ${rows}`)
  const breaches: ReadonlyArray<readonly [payload: Uint8Array, at: number, rule: string]> = [
    [message('81 83 00 18d2 20'), 19, 'pressure 0 to 4294967295'],
    [message('81 83 00 fb4035000000000000 00'), 17, 'no float and no simple value but null'],
    [message('81 83 00 1807 00'), 17, 'integers in their shortest form'],
    [message('81 82 00 00 00'), 15, 'a row is an array of 3'],
    [message('9f 83 00 00 00 ff'), 14, 'definite lengths'],
    [hexBytes('a5 0001 01'), 4, 'no item goes beyond the last byte'],
    [message('81 83 00 00 18'), 18, 'no item goes beyond the last byte'],
    [message('81 83 00 00 00 00'), 19, 'nothing follows the message'],
    [hexBytes('a1 0001'), 0, 'keys 0, 1, 2, 3 and 6 are there'],
    [hexBytes('a5 0001 0107 0107 0200 0680'), 5, 'keys ascend, each once'],
    [hexBytes('68656c6c6f'), 0, 'the message is a map'],
    [hexBytes(''), 0, 'no item goes beyond the last byte']
  ]
  for (const [payload, at, rule] of breaches) {
    const { items, decoded } = explainTelemetry(payload)
    t.match(decoded, { ok: false, at, rule })
    t.match(items.filter(({ breaks }) => breaks !== null), [{ at, breaks: rule }], rule)
    t.equal(items.filter(({ breaks }) => breaks !== null).length, 1, `${rule}, once`)
  }
  t.match(explainTelemetry(message('81 83 00 1807 00')).items.at(-1), { meaning: 'pressure 0.00 hPa' })
})

t.test('whatever is broken in a message: exactly one item is marked, where the decoder says', async t => {
  const random = seededRandom(11)
  for (let round = 0; round < 2000; round++) {
    const payload = Uint8Array.from(encodeTelemetry(drawTelemetry(random, 6)))
    payload[Math.floor(random() * payload.length)] = Math.floor(random() * 256)
    const cut = random() < 0.3 ? payload.subarray(0, Math.floor(random() * payload.length)) : payload
    const { items, decoded } = explainTelemetry(cut)
    const marked = items.filter(({ breaks }) => breaks !== null)
    if (decoded.ok ? marked.length > 0 : marked.length !== 1 || marked[0]!.at !== decoded.at) t.fail(`${Buffer.from(cut).toString('hex')}: ${JSON.stringify(decoded)}`)
  }
})

t.test('the longest valid message is explained to its end, more than that is bounded', async t => {
  const readings = Array.from({ length: 500 }, (_, seq) => ({ seq, ts: 1_790_000_000_000 + 70_000 * seq, temperatureDeciC: -32768, pressurePa: 4_294_967_295 }))
  const longest = encodeTelemetry({ boot: 4_294_967_295, clock: 2, status: 65_535, readings })
  t.match(explainTelemetry(longest), { decoded: { ok: true }, unexplainedBytes: 0 })
  t.match(explainTelemetry(new Uint8Array(20_000)), { decoded: { ok: false, at: 0 }, unexplainedBytes: 20_000 - 4096 })
})
