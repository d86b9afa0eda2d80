import { createRequire } from 'node:module'
import t from 'tap'
import { busError, openI2cBus, type I2cPackage } from '../../device/i2c.ts'

type RawBus = Awaited<ReturnType<I2cPackage['openPromisified']>>

/** The package as far as it is used: a list of the bus objects it made, and what each transfer does. */
function createPackage (transfer: (made: number) => Promise<{ bytesRead: number, buffer: Buffer }>): I2cPackage & { readonly made: Array<{ closed: boolean }> } {
  const made: Array<{ closed: boolean }> = []
  return {
    made,
    openPromisified: async () => {
      const state = { closed: false }
      made.push(state)
      const number = made.length
      return {
        readI2cBlock: async () => await transfer(number),
        writeByte: async () => { await transfer(number) },
        close: async () => { state.closed = true }
      } satisfies RawBus
    }
  }
}

function errnoError (errno: number, code: string): Error {
  return Object.assign(new Error(`${code}, text`), { errno, code, syscall: 'readI2cBlock' })
}

t.test('the package is not loaded before a bus is opened: it is optional', async t => {
  t.same(Object.keys(createRequire(import.meta.url).cache).filter(file => file.includes('/i2c-bus/')), [])
})

t.test('a package that is not installed and one that was not compiled end in one error that names the way out', async t => {
  const missing = Object.assign(new Error("Cannot find package 'i2c-bus'"), { code: 'ERR_MODULE_NOT_FOUND' })
  const uncompiled = new Error('Could not locate the bindings file. Tried:\n → /some/where')
  await t.rejects(openI2cBus(1, async () => { throw missing }), { code: 'ISO_SENSOR_DRIVER_MISSING', detail: 'it is not installed', operator: /--simulate/, cause: missing })
  await t.rejects(openI2cBus(1, async () => { throw uncompiled }), { code: 'ISO_SENSOR_DRIVER_MISSING', detail: /not compiled \(Could not locate the bindings file. Tried:\)$/, operator: /npm rebuild i2c-bus/, cause: uncompiled })
})

t.test('a bus is opened at its first transfer and goes on with the same bus object', async t => {
  const i2cPackage = createPackage(async () => ({ bytesRead: 2, buffer: Buffer.of(1, 2) }))
  const bus = await openI2cBus(1, async () => i2cPackage)
  t.equal(i2cPackage.made.length, 0)
  t.same([...await bus.readBlock(0x77, 0xf6, 2)], [1, 2])
  await bus.writeByte(0x77, 0xf4, 0x2e)
  t.equal(i2cPackage.made.length, 1)
  await bus.close()
  t.ok(i2cPackage.made[0]!.closed)
  await t.rejects(bus.readBlock(0x77, 0xf6, 2), /used after its close/)
})

t.test('after any error the bus object is closed and never used again', async t => {
  const i2cPackage = createPackage(async number => {
    if (number === 1) throw errnoError(16, 'EBUSY')
    return { bytesRead: 1, buffer: Buffer.of(0x55) }
  })
  const bus = await openI2cBus(1, async () => i2cPackage)
  await t.rejects(bus.readBlock(0x77, 0xd0, 1), { code: 'ISO_SENSOR_BUS_TAKEN', detail: 'EBUSY' })
  t.same(i2cPackage.made, [{ closed: true }])
  t.same([...await bus.readBlock(0x77, 0xd0, 1)], [0x55])
  t.same(i2cPackage.made, [{ closed: true }, { closed: false }])
})

t.test('a short read is an error, though i2c-bus takes it for a success', async t => {
  const bus = await openI2cBus(1, async () => createPackage(async () => ({ bytesRead: 5, buffer: Buffer.alloc(22) })))
  await t.rejects(bus.readBlock(0x77, 0xaa, 22), { code: 'ISO_SENSOR_BUS', detail: '5 of 22 bytes read from register 0xaa' })
})

t.test('errors are told apart by the size of errno, whatever its sign and whatever the code', async t => {
  t.match(busError(errnoError(121, ''), 1), { code: 'ISO_SENSOR_BUS', detail: /^EREMOTEIO, nobody acknowledges/ })
  t.match(busError(errnoError(-121, 'EREMOTEIO'), 1), { code: 'ISO_SENSOR_BUS', detail: /^EREMOTEIO/ })
  t.match(busError(errnoError(110, 'ETIMEDOUT'), 1), { code: 'ISO_SENSOR_BUS', detail: /^ETIMEDOUT, SDA or SCL/ })
  t.match(busError(errnoError(5, 'EIO'), 1), { code: 'ISO_SENSOR_BUS', detail: 'EIO' })
  t.match(busError(errnoError(-2, 'ENOENT'), 3), { code: 'ISO_SENSOR_BUS_SETUP', detail: /^ENOENT, \/dev\/i2c-3 is not there.*ISOBAR_DEVICE_I2C_BUS/ })
  t.match(busError(errnoError(-13, 'EACCES'), 1), { code: 'ISO_SENSOR_BUS_SETUP', detail: /group i2c/ })
  t.match(busError(errnoError(71, 'EPROTO'), 1), { code: 'ISO_SENSOR_BUS', detail: 'EPROTO, text' })
})

t.test('an error without errno is a bug of the caller and stays what it is', async t => {
  const bug = new Error('Invalid I2C address 999')
  t.equal(busError(bug, 1), bug)
})

t.test('over all buses there is one transfer at a time', async t => {
  let under = 0
  const i2cPackage = createPackage(async () => {
    t.equal(++under, 1)
    await new Promise(resolve => setImmediate(resolve))
    under--
    return { bytesRead: 1, buffer: Buffer.of(0) }
  })
  const buses = await Promise.all([1, 3, 4].map(async number => await openI2cBus(number, async () => i2cPackage)))
  await Promise.all(buses.map(async bus => await bus.readBlock(0x77, 0xd0, 1)))
})

t.test('the real package says which bus is not there', async t => {
  const bus = await openI2cBus(254).catch((error: unknown) => {
    t.match(error, { code: 'ISO_SENSOR_DRIVER_MISSING' }, 'it is optional, and not on this machine')
    return null
  })
  if (bus === null) return
  await t.rejects(bus.readBlock(0x77, 0xd0, 1), { code: 'ISO_SENSOR_BUS_SETUP', detail: /^ENOENT, \/dev\/i2c-254/ })
  await bus.close()
})
