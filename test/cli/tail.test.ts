import t, { type Test } from 'tap'
import { parseAclFile } from '../../broker/access/acl-file.ts'
import { openTestBroker, telemetryOf, type TestBroker } from '../helpers/broker.ts'
import { runCli, startCli, type RunningCli } from '../helpers/cli.ts'
import { openDeviceBroker } from '../helpers/device-broker.ts'
import { connectRaw, packets } from '../helpers/raw-mqtt.ts'

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
  const beginsWithB = objects[0]!.device_id === 'b' // it subscribed between the two
  t.same(objects.map(object => object.device_id), beginsWithB ? ['b', 'a', 'b'] : ['a', 'b', 'a'])
  t.same(objects.map(({ seq }) => seq - objects[0]!.seq), beginsWithB ? [0, 1, 1] : [0, 0, 1])
})

t.test('tail shows what became of the readings: dead with the reason, or stored', async t => {
  const { url, connect, broker } = await openTestBroker(t)
  const tail = startCli(t, ['tail', '--device', 'pi', '--url', url])
  const device = await connect({ clientId: 'sender' })
  const printed = async (seq: number): Promise<void> => {
    const isPrinted = tail.until(new RegExp(` ${seq}  .*hPa`)).then(() => true)
    do device.send(packets.publish({ topic: 'iot/v1/pi/tele', payload: telemetryOf(seq) }))
    while (!await Promise.race([isPrinted, device.ping().then(() => false)]))
  }
  await printed(160)
  await broker.publish('iot/v1/pi/error', JSON.stringify({ code: 'ISO_READING_TIME', reason: 'too old', at: 0, id: '0a1b', boot: 7, seqs: [[160, 160]] }), { qos: 1, retain: false })
  await tail.until(/ pi +7 +160 {2}dead: too old \[ISO_READING_TIME\] {2}letter 0a1b\n/)
  await printed(161)
  await broker.publish('iot/v1/pi/stored', JSON.stringify({ at: 0, settled: [[7, 161, 161]], dead: [[7, 160, 160, 'ISO_READING_TIME']] }), { qos: 1, retain: true })
  await tail.until(/ pi +7 +161 {2}stored\n/)
})

t.test('a client that may not read the verdicts gets the readings, and stderr says so; one that may not read these is refused', async t => {
  const { tail, connect } = await tailUnder(t, 'topic deny iot/v1/pi/stored\ntopic deny iot/v1/pi/error')
  const device = await connect({ clientId: 'sender' })
  const ended = tail.ended.then(() => true)
  do device.send(packets.publish({ topic: 'iot/v1/pi/tele', payload: telemetryOf(160) }))
  while (!await Promise.race([ended, device.ping().then(() => false)]))
  t.match(await tail.ended, { code: 0, stdout: / pi +7 +160 /, stderr: /verdicts are not shown/ })
  const refused = await tailUnder(t, 'topic deny iot/v1/pi/tele')
  t.match(await refused.tail.ended, { code: 1, stdout: '', stderr: /does not let it subscribe to iot\/v1\/pi\/tele.*\[ISO_CLI_LOGIN\]/ })
})

/** Tail of one reading of one device, at a broker with these access rules. */
async function tailUnder (t: Test, rules: string): Promise<Pick<TestBroker, 'connect'> & { readonly tail: RunningCli }> {
  const { url, connect } = await openTestBroker(t, { rules: { acl: parseAclFile('acl', rules) } })
  return { tail: startCli(t, ['tail', '--count', '1', '--device', 'pi', '--url', url]), connect }
}

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
