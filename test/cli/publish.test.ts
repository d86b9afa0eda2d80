import t from 'tap'
import { decodeTelemetry } from '../../schemas/telemetry-decode.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { runCli, startCli } from '../helpers/cli.ts'

t.test('publish sends one valid reading of now, and says after the PUBACK where to look for it', async t => {
  const { journal, url } = await openTestBroker(t)
  const before = Date.now()
  const { code, stdout, stderr } = await runCli(t, ['publish', '--device', 'bench-9', '--temperature', '-5.25', '--pressure', '988', '--boot', '7', '--seq', '12', '--url', url])
  t.same({ code, stderr }, { code: 0, stderr: '' })
  t.match(journal.appended, [{ deviceId: 'bench-9', kind: 'tele', clientId: /^isobar-publish-[0-9a-f]{8}$/, readings: 1, boot: 7, lastSeq: 12 }])
  t.equal(journal.appended.length, 1)
  const decoded = decodeTelemetry(journal.appended[0]!.payload)
  t.match(decoded, { ok: true, telemetry: { boot: 7, clock: 0, status: 0, readings: [{ seq: 12, temperatureDeciC: -52, pressurePa: 98_800 }] } })
  const { ts } = decoded.ok ? decoded.telemetry.readings[0]! : { ts: NaN }
  t.ok(ts >= before && ts <= Date.now())
  const [to, hex, values, puback, where, query] = stdout.split('\n')
  t.equal(to, `To ${url}, topic iot/v1/bench-9/tele, QoS 1, ${hex!.trim().length / 2} bytes:`)
  t.equal(hex!.trim(), Buffer.from(journal.appended[0]!.payload).toString('hex'))
  t.equal(values, `  boot 7, seq 12, ${new Date(ts).toISOString()}, -5.2 °C, 988.00 hPa`)
  t.match(puback, /^PUBACK after \d+\.\d ms: the gateway has it on its disk\./)
  t.equal(where, "  isobar sql \"select * from readings where device_id = 'bench-9' and boot = 7\"")
  t.equal(query, '')
})

t.test('without a PUBACK in time it has not worked', async t => {
  const { journal, url } = await openTestBroker(t, { holds: true })
  const { code, stdout, stderr } = await runCli(t, ['publish', '--wait', '200ms', '--url', url])
  t.equal(code, 1)
  t.equal(journal.appended.length, 1)
  t.notMatch(stdout, 'PUBACK')
  t.match(stderr, /^isobar: not everything was acknowledged: no PUBACK within 200 ms \[ISO_CLI_UNACKNOWLEDGED\]\. /)
})

t.test('a gateway that goes before its PUBACK has not acknowledged', async t => {
  const { broker, journal, url } = await openTestBroker(t, { holds: true })
  const publish = startCli(t, ['publish', '--url', url])
  await journal.hasAppended(1)
  await broker.close()
  t.match(await publish.ended, { code: 1, stderr: /the connection ended before the PUBACK \(.+\) \[ISO_CLI_UNACKNOWLEDGED\]/ })
})

t.test('a gateway that is not there is told, and so is what is no reading', async t => {
  t.match(await runCli(t, ['publish', '--url', 'mqtt://127.0.0.1:1']), { code: 1, stdout: '', stderr: /ECONNREFUSED.*\[ISO_CLI_UNREACHABLE\]/ })
  for (const [args, sentence] of [
    [['--temperature', '3276.8'], /from -3276\.8 to 3276\.7/], [['--temperature', 'warm'], /It must be a number/], [['--pressure', '-1'], /from 0 to/],
    [['--seq', '4294967296'], /whole number from 0 to 4294967295/], [['--boot', '1.5'], /whole number/], [['--device', 'gateway'], /device id/], [['--wait', 'long'], /duration such as/]
  ] as const) t.match(await runCli(t, ['publish', ...args]), { code: 2, stderr: sentence }, args.join(' '))
})
