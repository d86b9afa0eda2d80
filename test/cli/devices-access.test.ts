import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runCli, type CliResult } from '../helpers/cli.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { connectRaw, openRaw, packets } from '../helpers/raw-mqtt.ts'

t.test('a device gets its login, is kept out, let in again and removed; a running gateway does it at once', async t => {
  const dir = t.testdir()
  const file = join(dir, 'passwords')
  const env: Record<string, string> = { ISOBAR_PASSWORD_FILE: file }
  const isobar = async (...args: readonly string[]): Promise<CliResult> => await runCli(t, args, { cwd: dir, env })
  await isobar('passwd', 'boss', '--generate')
  t.match(await isobar('devices', 'add', 'pi-1'), { code: 0, stdout: /\nISOBAR_DEVICE_ID=pi-1\n[^]*ISOBAR_DEVICE_PASSWORD_FILE=[^]*No gateway answers/ })
  t.equal((await stat(join(dir, 'pi-1.password'))).mode & 0o777, 0o600)
  const password = (await readFile(join(dir, 'pi-1.password'), 'utf8')).trim()
  t.match(await isobar('devices', 'add', 'pi-1'), { code: 1, stderr: /is there already.*ISO_ACCESS_UNWRITABLE/ })
  const before = await readFile(file, 'utf8')

  const gateway = await startTestGateway(t, env)
  await untilReady(gateway.httpUrl)
  env.ISOBAR_HTTP = gateway.httpUrl
  const fields = { clientId: 'pi-1', user: 'pi-1', password }
  const device = await connectRaw(t, gateway.mqttUrl, fields)
  device.send(packets.publish({ topic: 'iot/v1/pi-1/state', payload: 'online', qos: 1, retain: true, id: 1 }))
  await device.next('puback')

  // It may have looked at the file by itself just before it was told to: then its answer counts no connection.
  t.match(await isobar('devices', 'disable', 'pi-1'), { code: 0, stdout: /pi-1 is disabled in .*\nThe gateway has taken it( and closed 1 connection)?\.\n/ })
  await device.closed()
  const refused = await openRaw(t, gateway.mqttUrl)
  refused.send(packets.connect({ clientId: 'pi-1' }))
  t.equal((await refused.next('connack')).codes[1], 5, 'nobody else comes in with its id')
  const operator = await connectRaw(t, gateway.mqttUrl, { clientId: 'operator' })
  await operator.subscribe(['iot/v1/pi-1/#', 0])
  await operator.ping()
  t.same(operator.received.filter(({ type, payload }) => type === 'publish' && payload.length > 0).map(({ topic }) => topic), [], 'nothing of it is retained')

  t.match(await isobar('devices', 'enable', 'pi-1'), { code: 0, stdout: /The gateway has taken it\.\n/ })
  t.equal(await readFile(file, 'utf8'), before, 'with the password that it had')
  const again = await connectRaw(t, gateway.mqttUrl, fields)
  t.match(await isobar('devices', 'remove', 'pi-1'), { code: 0 })
  await again.closed()
  t.notMatch(await readFile(file, 'utf8'), /pi-1/)
  t.match(await isobar('devices', 'enable', 'pi-9'), { code: 1, stderr: /ISO_ACCESS_USER/ })
  t.equal(await gateway.stop(), 0)
})
