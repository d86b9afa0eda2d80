import type { PromisifiedBus } from 'i2c-bus' // `import type`: anything else would load the package, which is optional
import { codeOf, IsobarError, textOf, type ErrorCode } from '../lib/errors.ts'

/** What the driver needs of an I2C bus. One transfer at a time: who uses it waits for the end of a call before the next. */
export interface I2cBus {
  /** `length` (1..32) bytes from `register` on, in one transfer. @throws IsobarError ISO_SENSOR_BUS, ISO_SENSOR_BUS_SETUP */
  readBlock (address: number, register: number, length: number): Promise<Uint8Array>
  /** @throws IsobarError ISO_SENSOR_BUS, ISO_SENSOR_BUS_SETUP */
  writeByte (address: number, register: number, value: number): Promise<void>
  close (): Promise<void>
}

/** The part of the package i2c-bus that is used. */
export interface I2cPackage {
  openPromisified (busNumber: number): Promise<Pick<PromisifiedBus, 'readI2cBlock' | 'writeByte' | 'close'>>
}

/**
 * The bus `/dev/i2c-<busNumber>`. Nothing is opened before the first transfer, so a bus that is not there yet is no error here.
 * @throws IsobarError ISO_SENSOR_DRIVER_MISSING when the optional package i2c-bus is not installed or was not compiled
 */
export async function openI2cBus (busNumber: number, load: () => Promise<I2cPackage> = async () => await import('i2c-bus')): Promise<I2cBus> {
  return new LinuxBus(busNumber, await loadPackage(load))
}

async function loadPackage (load: () => Promise<I2cPackage>): Promise<I2cPackage> {
  try {
    return await load()
  } catch (cause) {
    const detail = codeOf(cause) === 'ERR_MODULE_NOT_FOUND' ? 'it is not installed' : `it is installed but was not compiled (${textOf(cause).split('\n', 1)[0]})`
    throw new IsobarError('ISO_SENSOR_DRIVER_MISSING', { detail, cause })
  }
}

/**
 * The end of the transfer under way, on whatever bus. A transfer occupies one of the four threads that Node has for files as well: several that hang, each on a
 * bus of its own, would stop those.
 */
let lastTransfer: Promise<unknown> = Promise.resolve()

/**
 * i2c-bus behind I2cBus. Its bus object is dropped after every error and a new one made for the next transfer: after EBUSY the object talks to
 * address 0x00, after close() it writes into whatever file got its descriptor.
 */
class LinuxBus implements I2cBus {
  readonly #busNumber: number
  readonly #package: I2cPackage
  #bus: Awaited<ReturnType<I2cPackage['openPromisified']>> | undefined
  #closed = false

  constructor (busNumber: number, i2cPackage: I2cPackage) {
    this.#busNumber = busNumber
    this.#package = i2cPackage
  }

  async readBlock (address: number, register: number, length: number): Promise<Uint8Array> {
    return await this.#transfer(async bus => {
      const { bytesRead, buffer } = await bus.readI2cBlock(address, register, length, Buffer.alloc(length))
      // A short read is no error to i2c-bus; the rest of the buffer is old.
      if (bytesRead !== length) throw new IsobarError('ISO_SENSOR_BUS', { detail: `${bytesRead} of ${length} bytes read from register 0x${register.toString(16)}` })
      return buffer
    })
  }

  async writeByte (address: number, register: number, value: number): Promise<void> {
    await this.#transfer(async bus => { await bus.writeByte(address, register, value) })
  }

  async close (): Promise<void> {
    this.#closed = true
    const bus = this.#bus
    this.#bus = undefined
    await bus?.close()
  }

  async #transfer<T> (use: (bus: Awaited<ReturnType<I2cPackage['openPromisified']>>) => Promise<T>): Promise<T> {
    const transfer = lastTransfer.then(async () => await this.#transferNow(use))
    lastTransfer = transfer.catch(() => {}) // its caller is told
    return await transfer
  }

  async #transferNow<T> (use: (bus: Awaited<ReturnType<I2cPackage['openPromisified']>>) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error('the I2C bus was used after its close')
    try {
      this.#bus ??= await this.#package.openPromisified(this.#busNumber)
      return await use(this.#bus)
    } catch (error) {
      const bus = this.#bus
      this.#bus = undefined
      await bus?.close().catch(() => {}) // it is broken; the first error is the one that tells
      throw busError(error, this.#busNumber)
    }
  }
}

interface BusFault { readonly name: string, readonly code: ErrorCode, readonly hint?: (busNumber: number) => string }

/** By errno: what it is called, whether a person must act, and what the person does. */
const busFaults: Readonly<Record<number, BusFault>> = {
  2: { name: 'ENOENT', code: 'ISO_SENSOR_BUS_SETUP', hint: n => `/dev/i2c-${n} is not there; enable I2C (dtparam=i2c_arm=on, module i2c-dev) or set ISOBAR_DEVICE_I2C_BUS` },
  5: { name: 'EIO', code: 'ISO_SENSOR_BUS' },
  6: { name: 'ENXIO', code: 'ISO_SENSOR_BUS', hint: () => 'nobody acknowledges' },
  11: { name: 'EAGAIN', code: 'ISO_SENSOR_BUS' },
  13: { name: 'EACCES', code: 'ISO_SENSOR_BUS_SETUP', hint: n => `this user may not open /dev/i2c-${n}; add it to the group i2c` },
  16: { name: 'EBUSY', code: 'ISO_SENSOR_BUS_TAKEN' },
  19: { name: 'ENODEV', code: 'ISO_SENSOR_BUS', hint: () => 'the adapter is gone' },
  95: { name: 'ENOTSUP', code: 'ISO_SENSOR_BUS_SETUP', hint: () => 'the adapter cannot do block transfers' },
  108: { name: 'ESHUTDOWN', code: 'ISO_SENSOR_BUS', hint: () => 'the adapter is suspended' },
  110: { name: 'ETIMEDOUT', code: 'ISO_SENSOR_BUS', hint: () => 'SDA or SCL is held low; a stuck chip needs its power cut' },
  121: { name: 'EREMOTEIO', code: 'ISO_SENSOR_BUS', hint: () => 'nobody acknowledges: the sensor is missing, its wire is loose, or it has no power' }
}

/**
 * What a transfer threw, typed. By errno alone: i2c-bus gives it positive or negative, and for EREMOTEIO, the commonest, an empty `code`.
 * An error without errno is a bug of ours (an argument) and stays as it is.
 */
export function busError (error: unknown, busNumber: number): unknown {
  const errno = (error as { errno?: unknown } | null | undefined)?.errno
  if (typeof errno !== 'number') return error
  const fault = busFaults[Math.abs(errno)]
  if (fault === undefined) return new IsobarError('ISO_SENSOR_BUS', { detail: textOf(error), cause: error })
  const hint = fault.hint?.(busNumber)
  return new IsobarError(fault.code, { detail: hint === undefined ? fault.name : `${fault.name}, ${hint}`, cause: error })
}
