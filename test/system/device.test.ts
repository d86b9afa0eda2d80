import t, { type Test } from 'tap'
import { realClock } from '../../lib/clock.ts'
import { makeCertificates } from '../helpers/certificates.ts'
import { runCli, startCli, type RunningCli } from '../helpers/cli.ts'
import { startTestGateway, untilReady, type TestGateway } from '../helpers/gateway.ts'
import { openClient, untilSettled } from '../helpers/settled.ts'

// `isobar device` as a Pi runs it, with a simulated chip, against a gateway in a process of its own.

function startDevice (t: Test, brokerUrl: string, env: Readonly<Record<string, string>>): RunningCli {
  return startCli(t, ['device', '--simulate'], { env: { ISOBAR_DATA: t.testdir(), ISOBAR_DEVICE_BROKER: brokerUrl, ISOBAR_DEVICE_INTERVAL: '100ms', ...env } })
}

/** Stops it as systemd does. */
async function stopDevice ({ child, ended }: RunningCli): Promise<void> {
  child.kill('SIGTERM')
  const { code, stderr } = await ended
  if (code !== 0) throw new Error(stderr)
}

async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await realClock.sleep(50)
}

/** All that it has logged so far. */
function logOf ({ child }: RunningCli): () => string {
  let log = ''
  child.stderr!.on('data', (text: string) => { log += text })
  return () => log
}

/** Readings of a device in the table. */
async function rowsOf (t: Test, gateway: TestGateway, id: string): Promise<{ readonly rows: number, readonly names: number, readonly boots: number }> {
  await untilSettled(gateway.httpUrl)
  const client = await openClient(t, gateway.databaseUrl)
  const { rows } = await client.query<{ rows: number, names: number, boots: number }>('select count(*)::integer as rows, count(distinct (boot, seq))::integer as names, count(distinct boot)::integer as boots from readings where device_id = $1', [id])
  return rows[0]!
}

t.test('a device logs in by password over TLS, and another one by its certificate; a wrong password is told', { timeout: 290_000 }, async t => {
  const { authority, file, tls } = await makeCertificates(t)
  const [ca, passwords] = [file('ca.pem', authority.cert), file('passwords', '')]
  const added = await runCli(t, ['passwd', 'pi-word', '--file', passwords], { stdin: 'hush\n' })
  t.equal(added.code, 0, added.stderr)
  const gateway = await startTestGateway(t, {
    ISOBAR_MQTT: 'mqtts://127.0.0.1:0', ISOBAR_TLS_CERT_FILE: tls.certFile, ISOBAR_TLS_KEY_FILE: tls.keyFile, ISOBAR_TLS_CA_FILE: ca, ISOBAR_TLS_CLIENTS: 'optional', ISOBAR_PASSWORD_FILE: passwords
  })
  await untilReady(gateway.httpUrl)
  const { cert, key } = await authority.issue({ subject: 'CN=pi-card' })
  const word = file('word', 'wrong\n')
  const byPassword = startDevice(t, gateway.mqttUrl, { ISOBAR_DEVICE_ID: 'pi-word', ISOBAR_DEVICE_CA_FILE: ca, ISOBAR_DEVICE_PASSWORD_FILE: word })
  const byCertificate = startDevice(t, gateway.mqttUrl, { ISOBAR_DEVICE_ID: 'pi-card', ISOBAR_DEVICE_CA_FILE: ca, ISOBAR_DEVICE_CERT_FILE: file('pi-card.pem', cert), ISOBAR_DEVICE_KEY_FILE: file('pi-card.key', key) })
  const log = logOf(byPassword)
  await until(() => log().includes('the broker refuses this device'))
  await stopDevice(byPassword)
  file('word', 'hush\n')
  const again = startDevice(t, gateway.mqttUrl, { ISOBAR_DEVICE_ID: 'pi-word', ISOBAR_DEVICE_CA_FILE: ca, ISOBAR_DEVICE_PASSWORD_FILE: word })
  for (const device of [again, byCertificate]) await device.until(/ {2}connected {2}[1-9]/)
  for (const device of [again, byCertificate]) await stopDevice(device)
  for (const id of ['pi-word', 'pi-card']) t.ok((await rowsOf(t, gateway, id)).rows > 0, id)
})
