import t from 'tap'
import { encodeCalibration } from '../../device/bmp180/calibration.ts'
import { compensate } from '../../device/bmp180/compensation.ts'
import { address, register } from '../../device/bmp180/registers.ts'
import { createSimulatedBus, simulatedCalibration } from '../../device/simulated-bus.ts'
import { createTestClock } from '../helpers/clock.ts'

const steady = { weather: () => ({ temperatureC: -5.2, pressurePa: 83_500 }) }

t.test('the chip has its id and its calibration, and other registers are 0', async t => {
  const bus = createSimulatedBus({ deviceId: 'pi-1', clock: createTestClock() })
  t.same(await bus.readBlock(address, register.chipId, 1), [0x55])
  t.same(await bus.readBlock(address, register.calibration, 22), encodeCalibration(simulatedCalibration))
  t.same(await bus.readBlock(address, 0x00, 2), [0, 0])
})

t.test('nobody acknowledges another address, with the error that a Pi gives', async t => {
  const bus = createSimulatedBus({ deviceId: 'pi-1', clock: createTestClock() })
  await t.rejects(bus.readBlock(0x76, register.chipId, 1), { code: 'ISO_SENSOR_BUS', detail: /^EREMOTEIO/, cause: { code: '', errno: 121 } })
  await t.rejects(bus.writeByte(0x76, register.control, 0x2e), { code: 'ISO_SENSOR_BUS' })
})

t.test('a conversion sets SCO for its longest time, and until then the result is the previous one', async t => {
  const clock = createTestClock()
  const bus = createSimulatedBus({ deviceId: 'pi-1', clock, ...steady })
  const look = async (): Promise<number[]> => [...await bus.readBlock(address, register.control, 1), ...await bus.readBlock(address, register.result, 3)]
  t.same(await look(), [0x00, 0x80, 0x00, 0x00], 'after power-up')
  await bus.writeByte(address, register.control, 0x2e)
  await clock.advance(4.4)
  t.same(await look(), [0x2e, 0x80, 0x00, 0x00])
  await clock.advance(0.1)
  const [control, msb, lsb] = await look() as [number, number, number, number]
  t.equal(control, 0x0e)
  t.ok(Math.abs(compensate(simulatedCalibration, msb << 8 | lsb, 40_000, 0).temperatureDeciC + 52) <= 1)
  await bus.writeByte(address, register.control, 0xf4)
  await clock.advance(25.4)
  t.same((await look()).slice(0, 3), [0xf4, msb, lsb], 'the temperature still')
  await clock.advance(0.1)
  t.equal((await look())[0], 0xd4)
  t.not((await look())[1], msb)
})

t.test('a reset forgets the result, and the chip is deaf for 10 ms', async t => {
  const clock = createTestClock()
  const bus = createSimulatedBus({ deviceId: 'pi-1', clock })
  await bus.writeByte(address, register.control, 0x2e)
  await bus.writeByte(address, register.softReset, 0xb6)
  await t.rejects(bus.readBlock(address, register.chipId, 1), { code: 'ISO_SENSOR_BUS' })
  await clock.advance(10)
  t.same([...await bus.readBlock(address, register.control, 1), ...await bus.readBlock(address, register.result, 3)], [0x00, 0x80, 0x00, 0x00])
})

t.test('one device sees the same again, another one something else', async t => {
  const measure = async (deviceId: string): Promise<number[]> => {
    const clock = createTestClock()
    const bus = createSimulatedBus({ deviceId, clock })
    await bus.writeByte(address, register.control, 0x34)
    await clock.advance(5)
    return [...await bus.readBlock(address, register.result, 3)]
  }
  t.same(await measure('pi-1'), await measure('pi-1'))
  t.strictNotSame(await measure('pi-1'), await measure('pi-2'))
})
