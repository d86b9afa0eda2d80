import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'

/** What the kernel's driver gives. */
export interface IioSensor {
  /** The folder of the device. */
  readonly path: string
  /** @throws IsobarError ISO_SENSOR_BUS */
  read (): Promise<{ readonly temperatureDeciC: number, readonly pressurePa: number }>
}

/**
 * A BMP180 that the kernel's driver bmp280 owns (dtoverlay=i2c-sensor,bmp180), through /sys/bus/iio. Each file that is read is a conversion of its own; the oversampling is the kernel's.
 * @param busNumber of the I2C bus that the chip is on
 * @throws IsobarError ISO_SENSOR_BUS_TAKEN when the driver has the chip and gives no device
 */
export async function openIioSensor (busNumber: number, root = '/sys/bus'): Promise<IioSensor> {
  const path = await deviceOf(join(root, 'i2c', 'devices', `${busNumber}-0077`)) ?? await deviceNamed(join(root, 'iio', 'devices'))
  if (path === null) throw new IsobarError('ISO_SENSOR_BUS_TAKEN', { detail: `and gives no device in ${join(root, 'iio', 'devices')}` })
  return {
    path,
    read: async () => {
      const pressureKpa = await numberIn(join(path, 'in_pressure_input'))
      const temperatureMilliC = await numberIn(join(path, 'in_temp_input'))
      return { temperatureDeciC: Math.round(temperatureMilliC / 100), pressurePa: Math.round(pressureKpa * 1000) }
    }
  }
}

/** The IIO device below a device of the I2C bus. */
async function deviceOf (chip: string): Promise<string | null> {
  const name = (await namesIn(chip)).find(name => name.startsWith('iio:device'))
  return name === undefined ? null : join(chip, name)
}

async function deviceNamed (devices: string): Promise<string | null> {
  for (const name of await namesIn(devices)) {
    const path = join(devices, name)
    if (['bmp180', 'bmp085'].includes((await readFile(join(path, 'name'), 'utf8').catch(() => '')).trim())) return path
  }
  return null
}

async function namesIn (folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => [])
}

async function numberIn (file: string): Promise<number> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new IsobarError('ISO_SENSOR_BUS', { detail: `${codeOf(cause) || textOf(cause)} from ${file}`, cause })
  }
  if (text === '' || Number.isNaN(Number(text))) throw new IsobarError('ISO_SENSOR_BUS', { detail: `${file} says "${text}"` })
  return Number(text)
}
