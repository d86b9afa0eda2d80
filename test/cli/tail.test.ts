import t from 'tap'
import { jsonLines, textLines } from '../../cli/tail.ts'
import { encodeTelemetry, status, type Telemetry } from '../../schemas/telemetry.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { openTestBroker, telemetryOf } from '../helpers/broker.ts'
import { runCli, startCli } from '../helpers/cli.ts'
import { openDeviceBroker } from '../helpers/device-broker.ts'
import { connectRaw, packets } from '../helpers/raw-mqtt.ts'

const now = 1_790_000_000_000
const [pi, long] = ['pi' as DeviceId, 'pi-in-the-cellar' as DeviceId]

function message (over: Partial<Telemetry> = {}): Uint8Array {
  return encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [{ seq: 160, ts: now, temperatureDeciC: 210, pressurePa: 98_800 }], ...over })
}

t.test('a reading is a line with time, device, boot, seq and values; columns stand one below the other', async t => {
  const lines = textLines()
  t.same([...lines(pi, message(), now), ...lines(long, message(), now), ...lines(pi, message({ boot: 4_294_967_295 }), now)], [
    '2026-09-21T14:13:20.000Z  pi                 7      160   21.0 °C   988.00 hPa',
    '2026-09-21T14:13:20.000Z  pi-in-the-cellar           7      160   21.0 °C   988.00 hPa',
    '2026-09-21T14:13:20.000Z  pi                4294967295      160   21.0 °C   988.00 hPa'
  ])
  t.same(textLines(16)(pi, message(), now), ['2026-09-21T14:13:20.000Z  pi                         7      160   21.0 °C   988.00 hPa'], 'from the first line on, when the devices are known')
})

t.test('a line says what is not well: values that are missing, the clock, the status', async t => {
  const readings = [{ seq: 0, ts: now, temperatureDeciC: null, pressurePa: null }, { seq: 1, ts: now + 1, temperatureDeciC: -52, pressurePa: 98_800 }]
  t.same(textLines()(pi, message({ clock: 2, status: status.sensorFault | status.droppedBefore, readings }), now), [
    '2026-09-21T14:13:20.000Z  pi                 7        0         -            -  clock unsynchronised, sensor fault, readings dropped before',
    '2026-09-21T14:13:20.001Z  pi                 7        1   -5.2 °C   988.00 hPa  clock unsynchronised, sensor fault, readings dropped before'
  ])
})

t.test('a faulty message is a line with the time of its arrival, the rule and the first bytes', async t => {
  t.same(textLines()(pi, Buffer.from('hello'), now), ['2026-09-21T14:13:20.000Z  pi        faulty: offset 0 breaks the rule "the message is a map" [ISO_TELEMETRY_CBOR]  68656c6c6f'])
  t.match(textLines()(pi, new Uint8Array(40), now), [/ {2}(00){32}…$/])
})

t.test('as JSON each line is an object, a faulty message has its bytes', async t => {
  t.same(jsonLines(pi, message(), now).map(line => JSON.parse(line) as unknown), [{ device_id: 'pi', ts: '2026-09-21T14:13:20.000Z', boot: 7, seq: 160, temperature_c: 21, pressure_hpa: 988, clock: 0, status: 0 }])
  t.same(jsonLines(pi, Buffer.from('hello'), now).map(line => JSON.parse(line) as unknown), [{ device_id: 'pi', code: 'ISO_TELEMETRY_CBOR', at: 0, rule: 'the message is a map', payload: 'aGVsbG8=' }])
})

t.test('tail prints what the chosen devices send until it has enough, whatever else comes', async t => {
  const { url, connect } = await openTestBroker(t)
  const tail = startCli(t, ['tail', '--json', '--count', '3', '--device', 'a', 'b', '--url', url])
  const device = await connect({ clientId: 'sender' })
  const sending = new AbortController()
  void tail.ended.then(() => sending.abort())
  for (let seq = 0; !sending.signal.aborted; seq++) {
    device.send(...['a', 'c', 'b'].map((id, index) => packets.publish({ topic: `iot/v1/${id}/tele`, payload: telemetryOf(seq), qos: 1, id: index + 1 })))
    await device.take(3, 'puback')
  }
  const { code, stdout, stderr } = await tail.ended
  t.same({ code, stderr }, { code: 0, stderr: '' })
  const objects = stdout.trim().split('\n').map(line => JSON.parse(line) as { device_id: string, seq: number })
  t.same(objects.map(object => object.device_id), ['a', 'b', 'a'])
  t.same(objects.map(({ seq }) => seq - objects[0]!.seq), [0, 0, 1])
})

t.test('a lost connection is made again, stderr says both, and Ctrl-C ends with 0', async t => {
  const broker = await openDeviceBroker(t)
  const tail = startCli(t, ['tail', '--url', broker.url.replace('//', '//user:hush@')])
  const printed = async (seq: number): Promise<void> => {
    const sender = await connectRaw(t, broker.url, { clientId: 'sender' })
    const isPrinted = tail.until(new RegExp(` ${seq}  `)).then(() => true)
    do sender.send(packets.publish({ topic: 'iot/v1/pi/tele', payload: telemetryOf(seq) }))
    while (!await Promise.race([isPrinted, sender.ping().then(() => false)]))
    await sender.vanish()
  }
  await printed(100)
  t.match(broker.connects.filter(({ clientId }) => clientId !== 'sender'), [{ clientId: /^isobar-tail-[0-9a-f]{8}$/, username: 'user', password: 'hush', clean: true }])
  broker.cut()
  await printed(200)
  tail.child.kill('SIGINT')
  const { code, stdout, stderr } = await tail.ended
  t.equal(code, 0)
  t.match(stdout, / pi +7 +200 /)
  t.match(stderr, /^isobar: \d\d:\d\d:\d\d {2}the connection to mqtt:\/\/user:\*\*\*@\S+ is lost \(.+\); trying again\nisobar: \d\d:\d\d:\d\d {2}connected again\n$/)
})

t.test('a gateway that is not there, or refuses, is told at once', async t => {
  t.match(await runCli(t, ['tail', '--url', 'mqtt://127.0.0.1:1']), { code: 1, stdout: '', stderr: /^isobar: the gateway cannot be reached: .*ECONNREFUSED.*\[ISO_CLI_UNREACHABLE\]/ })
  const broker = await openDeviceBroker(t)
  broker.returnCode = 5
  t.match(await runCli(t, ['tail'], { env: { ISOBAR_MQTT: broker.url } }), { code: 1, stdout: '', stderr: /^isobar: the gateway refuses this client: .*\[ISO_CLI_LOGIN\]/ })
})

t.test('options that cannot be meant are refused', async t => {
  for (const [args, sentence] of [[['--device', 'Pi'], /device id/], [['--count', '0'], /whole number from 1/], [['--url', 'http://x'], /mqtt:\/\//]] as const) {
    t.match(await runCli(t, ['tail', ...args]), { code: 2, stderr: sentence })
  }
  t.match(await runCli(t, ['tail'], { env: { ISOBAR_MQTT: 'mqtt://127.0.0.1:0' } }), { code: 2, stderr: /any free port.*--url \[ISO_CLI_USAGE\]/ })
})
