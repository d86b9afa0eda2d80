import t, { type Test } from 'tap'
import { openHomeAssistant } from '../../gateway/home-assistant.ts'
import { encodeBirth } from '../../schemas/birth.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { openTestBroker } from '../helpers/broker.ts'
import { createTestLog } from '../helpers/log.ts'
import { packets, type RawClient } from '../helpers/raw-mqtt.ts'

const topics = new Topics('iot/v1')

function birthOf (device: string, over: object = {}): Buffer {
  return Buffer.from(encodeBirth({ v: 1, device, boot: 7, firmware: '1.2.3', sensor: 'bmp180', intervalMs: 1_000, oversampling: 3, at: 1_790_000_000_000, ...over }))
}

async function open (t: Test, { maxDevices = 10 } = {}) {
  const { broker, connect } = await openTestBroker(t)
  const { log, lines } = createTestLog('warn')
  await openHomeAssistant({ broker, topics, prefix: 'homeassistant', maxDevices, log })
  const device = await connect({ clientId: 'device' })
  const home = await connect({ clientId: 'home' })
  let id = 0
  const born = async (name: string, over = {}): Promise<void> => {
    device.send(packets.publish({ topic: `iot/v1/${name}/birth`, payload: birthOf(name, over), qos: 1, retain: true, id: ++id }))
    await device.next('puback')
  }
  return { broker, connect, home, born, lines }
}

async function configOf (client: RawClient): Promise<{ topic: string, retain: boolean, text: string }> {
  const { topic, retain, payload } = await client.next('publish')
  return { topic, retain, text: payload.toString() }
}

t.test('a device that sends a birth is announced, retained, with where its values and its state are', async t => {
  const { home, born } = await open(t)
  await born('pi-1', { intervalMs: 100_000 })
  await home.subscribe(['homeassistant/#', 1])
  const { topic, retain, text } = await configOf(home)
  t.equal(topic, 'homeassistant/device/isobar_pi-1/config')
  t.equal(retain, true)
  t.match(JSON.parse(text), {
    dev: { ids: ['isobar_pi-1'], name: 'pi-1', mdl: 'bmp180', sw: '1.2.3' },
    o: { name: 'isobar' },
    stat_t: 'iot/v1/pi-1/last',
    avty_t: 'iot/v1/pi-1/state',
    cmps: {
      temperature: { p: 'sensor', uniq_id: 'isobar_pi-1_temperature', dev_cla: 'temperature', unit_of_meas: '°C', stat_cla: 'measurement', val_tpl: '{{ value_json.temperature_c }}', exp_aft: 300 },
      pressure: { p: 'sensor', uniq_id: 'isobar_pi-1_pressure', dev_cla: 'atmospheric_pressure', unit_of_meas: 'hPa', stat_cla: 'measurement', val_tpl: '{{ value_json.pressure_hpa }}', exp_aft: 300 }
    }
  })
})

t.test('the same birth again is not announced again, another one is', async t => {
  const { home, born } = await open(t)
  await home.subscribe(['homeassistant/device/#', 1])
  await born('pi-1')
  await born('pi-1')
  await born('pi-1', { firmware: '1.2.4' })
  t.match([await configOf(home), await configOf(home)].map(({ text }) => JSON.parse(text).dev.sw), ['1.2.3', '1.2.4'])
})

t.test('when Home Assistant comes online all devices are announced again', async t => {
  const { home, born } = await open(t)
  await home.subscribe(['homeassistant/device/#', 1])
  await born('pi-1')
  await configOf(home)
  home.send(packets.publish({ topic: 'homeassistant/status', payload: Buffer.from('online'), qos: 0 }))
  t.match(await configOf(home), { topic: 'homeassistant/device/isobar_pi-1/config', retain: false })
})

t.test('a device whose birth is removed is taken back, and a new subscriber does not hear of it', async t => {
  const { broker, connect, home, born } = await open(t)
  await home.subscribe(['homeassistant/device/#', 1])
  await born('pi-1')
  await configOf(home)
  await broker.publish(topics.birth('pi-1' as DeviceId), '', { qos: 1, retain: true })
  t.match(await configOf(home), { topic: 'homeassistant/device/isobar_pi-1/config', text: '' })
  const late = await connect({ clientId: 'late' })
  await late.subscribe(['homeassistant/#', 1])
  await late.ping()
  t.same(late.received.filter(({ type }) => type === 'publish'), [])
})

t.test('what is no birth is not announced, and neither are devices beyond the limit, which is said', async t => {
  const { home, born, lines } = await open(t, { maxDevices: 1 })
  await home.subscribe(['homeassistant/device/#', 1])
  await born('pi-0', { v: 2 })
  await born('pi-1')
  await born('pi-2')
  t.match(await configOf(home), { topic: 'homeassistant/device/isobar_pi-1/config' })
  await home.ping()
  t.equal(home.received.filter(({ type }) => type === 'publish').length, 1)
  t.match(lines, [{ device: 'pi-2' }])
})
