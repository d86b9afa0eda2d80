import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { encodeTelemetry, type Reading, type Telemetry } from '../../schemas/telemetry.ts'
import { decodeTelemetry, maxTs, maxUint32 } from '../../schemas/telemetry-decode.ts'
import { drawTelemetry, golden } from '../helpers/telemetry.ts'

const reading: Reading = { seq: 160, ts: 1_789_999_999_123, temperatureDeciC: 210, pressurePa: 98_800 }
const message: Telemetry = { boot: 7, clock: 0, status: 0, readings: [reading] }

t.test('the encoder writes the golden bytes, one for one', async t => {
  for (const { name, hex, telemetry } of golden) t.equal(encodeTelemetry(telemetry).toString('hex'), hex, name)
})

t.test('what was encoded stays when the next message is encoded', async t => {
  const [first, second] = golden
  const kept = encodeTelemetry(first!.telemetry)
  encodeTelemetry(second!.telemetry)
  t.equal(kept.toString('hex'), first!.hex)
})

t.test('a drawn message comes back from its bytes as it was', async t => {
  const random = seededRandom(1)
  for (let round = 0; round < 2000; round++) {
    const telemetry = drawTelemetry(random, round % 100 === 0 ? 500 : 10)
    const decoded = decodeTelemetry(encodeTelemetry(telemetry))
    if (!decoded.ok || JSON.stringify(decoded.telemetry) !== JSON.stringify(telemetry)) {
      t.same(decoded, { ok: true, telemetry }, `round ${round}`)
      return
    }
  }
  t.pass('2000 messages of up to 500 readings')
})

t.test('the longest message of greatest numbers has 7 kB and is decoded', async t => {
  const readings = Array.from({ length: 500 }, (_, index) => ({ seq: maxUint32 - 499 + index, ts: maxTs - (499 - index) * 65_536, temperatureDeciC: -32768, pressurePa: maxUint32 }))
  const payload = encodeTelemetry({ boot: maxUint32, clock: 2, status: 0xffff, readings })
  t.ok(payload.length < 7100, `${payload.length} bytes`)
  t.match(decodeTelemetry(payload), { ok: true, telemetry: { readings: { length: 500 } } })
})

t.test('a value that does not fit is refused with its name', async t => {
  const cases: Array<[RegExp, Partial<Telemetry>]> = [
    [/the number of readings must be a whole number from 1 to 500, not 0/, { readings: [] }],
    [/the number of readings .* not 501/, { readings: Array.from({ length: 501 }, (_, index) => ({ ...reading, seq: index })) }],
    [/boot .* not -1/, { boot: -1 }],
    [/boot .* not 4294967296/, { boot: 2 ** 32 }],
    [/boot .* not 1.5/, { boot: 1.5 }],
    [/clock .* not 3/, { clock: 3 as 2 }],
    [/status .* not 65536/, { status: 0x1_0000 }],
    [/seq .* not 4294967296/, { readings: [{ ...reading, seq: 2 ** 32 }] }],
    [/seq of reading 1 must be a whole number from 161 to 161, not 162/, { readings: [reading, { ...reading, seq: 162 }] }],
    [/seq of reading 1 .* not 4294967296/, { readings: [{ ...reading, seq: maxUint32 }, { ...reading, seq: 2 ** 32 }] }],
    [/ts in seconds .* not -1/, { readings: [{ ...reading, ts: -1 }] }],
    [/ts in seconds .* not NaN/, { readings: [{ ...reading, ts: NaN }] }],
    [/ts of reading 0 .* not 0.5/, { readings: [{ ...reading, ts: 0.5 }] }],
    [/ts of reading 1 .* not 1789999999122/, { readings: [reading, { ...reading, seq: 161, ts: reading.ts - 1 }] }],
    [/ts of reading 1 must be a whole number from 0 to 4294967295, not 4294967296/, { readings: [{ ...reading, ts: 0 }, { ...reading, seq: 161, ts: 2 ** 32 }] }],
    [/ts of reading 1 .* to 4294967295999, not 4294967296000/, { readings: [{ ...reading, ts: maxTs }, { ...reading, seq: 161, ts: maxTs + 1 }] }],
    [/temperatureDeciC of reading 0 .* not 32768/, { readings: [{ ...reading, temperatureDeciC: 32768 }] }],
    [/temperatureDeciC of reading 0 .* not -32769/, { readings: [{ ...reading, temperatureDeciC: -32769 }] }],
    [/pressurePa of reading 0 .* not -1/, { readings: [{ ...reading, pressurePa: -1 }] }],
    [/pressurePa of reading 0 .* not 4294967296/, { readings: [{ ...reading, pressurePa: 2 ** 32 }] }]
  ]
  for (const [message_, change] of cases) {
    t.throws(() => encodeTelemetry({ ...message, ...change }), { code: 'ISO_TELEMETRY_ENCODE', message: message_ }, message_.source)
  }
})
