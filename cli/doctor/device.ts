import { randomBytes } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import type { I2cBus } from '../../device/i2c.ts'
import { realClock } from '../../lib/clock.ts'
import { codeOf, IsobarError, textOf } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { Topics } from '../../schemas/topics.ts'
import { bytesText, fail, failWith, guarded, ok, warn, type Finding } from './finding.ts'
import { checkClock, checkNode } from './machine.ts'
import { examineSettings } from './settings.ts'

const connectMs = 5_000
/** Less is no room for an outage of days. */
const leastFreeBytes = 200e6

/** Examines what an agent with these settings needs on this machine, finding by finding. It looks, and changes nothing; an agent may run meanwhile. Never throws. */
export async function * examineDevice (): AsyncIterable<Finding> {
  yield await guarded('node', checkNode)
  const settings = yield * examineSettings()
  if (settings === null) return
  yield * examineSensor(settings.device.i2cBus)
  yield await guarded('clock', async () => await checkClock(null))
  yield await guarded('outbox folder', async () => await checkFolder(settings))
  yield await guarded('disk', async () => await checkDisk(settings))
  yield * examineGateway(settings)
}

/** Bus, chip id, calibration and values; what stands on something that failed is left out. */
async function * examineSensor (busNumber: number): AsyncIterable<Finding> {
  const { openI2cBus } = await import('../../device/i2c.ts')
  let bus: I2cBus | null = null
  try {
    bus = await openI2cBus(busNumber)
    yield await checkBusNode(busNumber)
    yield * examineChip(bus)
  } catch (error) {
    if (codeOf(error) === 'ISO_SENSOR_BUS_TAKEN') yield await checkKernelDriver(busNumber)
    else yield failWith('sensor', error)
  } finally {
    await bus?.close()
  }
}

async function checkBusNode (busNumber: number): Promise<Finding> {
  const node = `/dev/i2c-${busNumber}`
  if (!existsSync(node)) return fail('I2C bus', `${node} is not there`, 'Enable I2C (sudo raspi-config nonint do_i2c 0), or set ISOBAR_DEVICE_I2C_BUS.')
  try {
    await access(node, constants.R_OK | constants.W_OK)
    return ok('I2C bus', `${node} can be used`)
  } catch {
    return fail('I2C bus', `this user may not use ${node}`, 'Add it to the group i2c (sudo usermod -aG i2c $USER) and log in again.')
  }
}

async function * examineChip (bus: I2cBus): AsyncIterable<Finding> {
  const { Bmp180 } = await import('../../device/bmp180/bmp180.ts')
  const { compensate } = await import('../../device/bmp180/compensation.ts')
  const chip = await Bmp180.open({ bus, delay: ms => realClock.sleep(ms), oversampling: 3 })
  yield ok('sensor', 'a BMP180 with a valid calibration')
  const { rawTemperature, rawPressure } = await chip.sample()
  const { temperatureDeciC, pressurePa } = compensate(chip.calibration, rawTemperature, rawPressure, 3)
  const text = `${(temperatureDeciC / 10).toFixed(1)} degC, ${(pressurePa / 100).toFixed(2)} hPa`
  const isPlausible = temperatureDeciC >= -400 && temperatureDeciC <= 850 && pressurePa >= 30_000 && pressurePa <= 110_000
  yield isPlausible ? ok('values', text) : fail('values', `${text} are beyond what the sensor can measure`, 'Check wiring and power. If it stays, the chip is broken.')
}

async function checkKernelDriver (busNumber: number): Promise<Finding> {
  const { openIioSensor } = await import('../../device/iio.ts')
  try {
    const sensor = await openIioSensor(busNumber)
    const { temperatureDeciC, pressurePa } = await sensor.read()
    return ok('sensor', `read through the kernel's driver (${sensor.path}): ${temperatureDeciC / 10} degC, ${pressurePa / 100} hPa`)
  } catch (error) {
    return failWith('sensor', error)
  }
}

/** The folder that the agent keeps readings in, or the nearest one above it that is there. */
async function checkFolder ({ data }: Settings): Promise<Finding> {
  const dir = join(resolve(data.dir), 'outbox')
  const there = nearest(dir)
  try {
    await access(there, constants.W_OK | constants.X_OK)
    return ok('outbox folder', there === dir ? `${dir} is writable` : `${dir} is not there yet; the agent makes it`)
  } catch (cause) {
    return failWith('outbox folder', new IsobarError('ISO_OUTBOX_UNUSABLE', { detail: `${there} (${textOf(cause)})`, cause }))
  }
}

async function checkDisk ({ data, outbox }: Settings): Promise<Finding> {
  const { bavail, bsize } = await statfs(nearest(resolve(data.dir)))
  const text = `${bytesText(bavail * bsize)} are free; the outbox takes ${bytesText(outbox.maxBytes)} at most`
  return bavail * bsize < Math.max(leastFreeBytes, outbox.maxBytes) ? warn('disk', text, 'Free some, or lower ISOBAR_OUTBOX_MAX_BYTES: with a full disk readings stay in RAM.') : ok('disk', text)
}

function nearest (path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path))
}

/** Whether the gateway is reached, whether it is the one that is trusted, and whether it lets this device in. */
async function * examineGateway (settings: Settings): AsyncIterable<Finding> {
  const { hostname, port, protocol } = new URL(settings.device.brokerUrl)
  const isTls = protocol === 'mqtts:'
  const address = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || (isTls ? 8883 : 1883)) }
  const reached = await checkReach(address)
  yield reached
  if (reached.state !== 'fail') yield * examineLogin(settings, isTls)
}

async function checkReach ({ host, port }: { readonly host: string, readonly port: number }): Promise<Finding> {
  const socket = createConnection({ host, port, timeout: connectMs })
  const fault = await new Promise<unknown>(resolve => {
    socket.once('connect', () => resolve(null)).once('error', resolve).once('timeout', () => resolve(new Error(`no answer within ${connectMs} ms`)))
  })
  socket.destroy()
  if (fault === null) return ok('gateway', `${host}:${port} accepts connections`)
  return fail('gateway', `${host}:${port} cannot be reached (${codeOf(fault) || textOf(fault)})`, 'Check ISOBAR_DEVICE_BROKER, the network, and whether the gateway listens beyond loopback (ISOBAR_MQTT).')
}

async function * examineLogin ({ device, topics }: Settings, isTls: boolean): AsyncIterable<Finding> {
  const { readLogin } = await import('../../device/login.ts')
  const { Connection } = await import('../../device/connection.ts')
  let login: ReturnType<typeof readLogin>
  try {
    login = readLogin(device, device.id)
  } catch (error) {
    yield failWith('login', error)
    return
  }
  // Under the device's own id its agent would be thrown out; a gateway that asks for a login wants that id all the same.
  const clientId = login.username === undefined ? `${device.id.slice(0, 50)}-doctor-${randomBytes(2).toString('hex')}` : device.id
  const connection = new Connection({ brokerUrl: device.brokerUrl, clientId, ...login, clock: realClock })
  if (await connection.accepted) {
    const name = login.username === undefined ? 'a client without a login' : `user ${login.username}`
    yield ok(isTls ? 'TLS and login' : 'login', `${isTls ? 'the certificate of the gateway is good; ' : ''}${name} is let in; telemetry goes to ${new Topics(topics.root).root}/${device.id}/tele`)
    await connection.disconnect()
    return
  }
  const { reason, returnCode } = await connection.ended
  if (returnCode > 0) yield fail('login', `the gateway refuses this device: ${reason}`, 'Check ISOBAR_DEVICE_USER and the password, and the accounts of the gateway.')
  else yield fail(isTls ? 'TLS' : 'login', `the connection ends: ${reason}`, isTls ? 'Check that ISOBAR_DEVICE_CA_FILE has the authority of the certificate, that its name is the host of ISOBAR_DEVICE_BROKER, and the clock.' : 'Check that an MQTT broker listens there, without TLS.')
}
