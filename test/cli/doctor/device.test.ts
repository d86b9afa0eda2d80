import t from 'tap'
import { runCli } from '../../helpers/cli.ts'
import { openDeviceBroker } from '../../helpers/device-broker.ts'

const noBus = { ISOBAR_DEVICE_I2C_BUS: '254', ISOBAR_DEVICE_ID: 'pi-doctor' }

t.test('what a device lacks is named one by one, with what to do about it', async t => {
  const broker = await openDeviceBroker(t)
  await broker.stop()
  const { code, stdout, stderr } = await runCli(t, ['doctor', '--device'], { env: { ...noBus, ISOBAR_DEVICE_BROKER: broker.url } })
  t.equal(code, 1)
  t.match(stdout, /^ok {4}settings/m)
  t.match(stdout, /^FAIL {2}(I2C bus .*\/dev\/i2c-254 is not there\. Enable I2C|sensor .*ISO_SENSOR_DRIVER_MISSING)/m)
  t.match(stdout, /^ok {4}outbox folder/m)
  t.match(stdout, /^FAIL {2}gateway .*cannot be reached \(ECONNREFUSED\)/m)
  t.match(stderr, /ISO_CLI_DOCTOR/)
})

t.test('a gateway that lets the device in is told from one that does not', async t => {
  const broker = await openDeviceBroker(t)
  const env = { ...noBus, ISOBAR_DEVICE_BROKER: broker.url, ISOBAR_DEVICE_PASSWORD: 'secret' }
  t.match((await runCli(t, ['doctor', '--device'], { env })).stdout, /^ok {4}login .*user pi-doctor is let in/m)
  t.match(broker.connects, [{ clientId: 'pi-doctor', username: 'pi-doctor', password: 'secret' }])
  broker.returnCode = 5
  t.match((await runCli(t, ['doctor', '--device'], { env })).stdout, /^FAIL {2}login .*refuses this device.*accounts/m)
  const tls = await runCli(t, ['doctor', '--device'], { env: { ...env, ISOBAR_DEVICE_BROKER: broker.url.replace('mqtt:', 'mqtts:') } })
  t.match(tls.stdout, /^FAIL {2}TLS .*ISOBAR_DEVICE_CA_FILE/m)
})
