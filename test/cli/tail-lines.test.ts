import t from 'tap'
import { jsonLines, textLines } from '../../cli/tail-lines.ts'
import { encodeTelemetry, status, type Telemetry } from '../../schemas/telemetry.ts'
import { type DeviceId } from '../../schemas/topics.ts'

const now = 1_790_000_000_000
const [pi, long] = ['pi' as DeviceId, 'pi-in-the-cellar' as DeviceId]

function message (over: Partial<Telemetry> = {}): Uint8Array {
  return encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [{ seq: 160, ts: now, temperatureDeciC: 210, pressurePa: 98_800 }], ...over })
}

t.test('a reading is a line with time, device, boot, seq and values; columns stand one below the other', async t => {
  const lines = textLines().message
  t.same([...lines(pi, message(), now), ...lines(long, message(), now), ...lines(pi, message({ boot: 4_294_967_295 }), now)], [
    '2026-09-21T14:13:20.000Z  pi                 7      160   21.0 °C   988.00 hPa',
    '2026-09-21T14:13:20.000Z  pi-in-the-cellar           7      160   21.0 °C   988.00 hPa',
    '2026-09-21T14:13:20.000Z  pi                4294967295      160   21.0 °C   988.00 hPa'
  ])
  t.same(textLines(16).message(pi, message(), now), ['2026-09-21T14:13:20.000Z  pi                         7      160   21.0 °C   988.00 hPa'], 'from the first line on, when the devices are known')
})

t.test('a line says what is not well: values that are missing, the clock, the status', async t => {
  const readings = [{ seq: 0, ts: now, temperatureDeciC: null, pressurePa: null }, { seq: 1, ts: now + 1, temperatureDeciC: -52, pressurePa: 98_800 }]
  t.same(textLines().message(pi, message({ clock: 2, status: status.sensorFault | status.droppedBefore, readings }), now), [
    '2026-09-21T14:13:20.000Z  pi                 7        0         -            -  clock unsynchronised, sensor fault, readings dropped before',
    '2026-09-21T14:13:20.001Z  pi                 7        1   -5.2 °C   988.00 hPa  clock unsynchronised, sensor fault, readings dropped before'
  ])
})

t.test('a faulty message is a line with the time of its arrival, the rule and the first bytes', async t => {
  t.same(textLines().message(pi, Buffer.from('hello'), now), ['2026-09-21T14:13:20.000Z  pi        faulty: offset 0 breaks the rule "the message is a map" [ISO_TELEMETRY_CBOR]  68656c6c6f'])
  t.match(textLines().message(pi, new Uint8Array(40), now), [/ {2}(00){32}…$/])
})

t.test('as JSON each line is an object, a faulty message has its bytes', async t => {
  t.same(jsonLines.message(pi, message(), now).map(line => JSON.parse(line) as unknown), [{ device_id: 'pi', ts: '2026-09-21T14:13:20.000Z', boot: 7, seq: 160, temperature_c: 21, pressure_hpa: 988, clock: 0, status: 0 }])
  t.same(jsonLines.message(pi, Buffer.from('hello'), now).map(line => JSON.parse(line) as unknown), [{ device_id: 'pi', code: 'ISO_TELEMETRY_CBOR', at: 0, rule: 'the message is a map', payload: 'aGVsbG8=' }])
})

t.test('a verdict is a line with time, device, boot and seqs, and what became of them; what comes from outside cannot steer the terminal', async t => {
  const readings = { boot: 7, from: 160, to: 259 }
  const dead = { code: 'ISO_READING_TIME', reason: 'too \u001bold', id: '0a1b' }
  const lines = textLines()
  t.same([lines.verdict({ deviceId: pi, readings, dead: null }, now), lines.verdict({ deviceId: pi, readings: { boot: 7, from: 160, to: 160 }, dead: { code: dead.code } }, now), lines.verdict({ deviceId: pi, readings: null, dead }, now)], [
    '2026-09-21T14:13:20.000Z  pi                 7  160-259  stored',
    '2026-09-21T14:13:20.000Z  pi                 7      160  dead [ISO_READING_TIME]',
    '2026-09-21T14:13:20.000Z  pi        dead: too \\x1bold [ISO_READING_TIME]  letter 0a1b'
  ])
  t.same(JSON.parse(jsonLines.verdict({ deviceId: pi, readings, dead: null }, now)), { device_id: 'pi', ...readings, verdict: 'stored' })
  t.same(JSON.parse(jsonLines.verdict({ deviceId: pi, readings, dead }, now)), { device_id: 'pi', ...readings, verdict: 'dead', ...dead })
})
