import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { isLoopback } from '../../../lib/listen-url.ts'
import { listen, type ListenSettings } from '../../../broker/listen/listeners.ts'
import { openTestBroker } from '../../helpers/broker.ts'
import { connectRaw } from '../../helpers/raw-mqtt.ts'

const nobody = { handle: (): void => {}, acceptFailed: (): void => {}, refuse: (): void => {} }

function on (url: string, open = false): ListenSettings {
  return { url, open }
}

t.test('the URL that is told has the port that was taken', async t => {
  const { broker } = await openTestBroker(t)
  for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
    const listener = await listen(broker, on(`mqtt://${host}:0`))
    t.teardown(() => listener.close())
    t.match(listener.url, new RegExp(`^mqtt://${host.replaceAll(/[[\].]/g, '\\$&')}:[1-9]\\d*$`))
  }
})

t.test('a taken port names the setting', async t => {
  const other = createServer()
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const url = `mqtt://127.0.0.1:${(other.address() as AddressInfo).port}`
  await t.rejects(listen(nobody, on(url)), { code: 'ISO_LISTEN_TAKEN', message: new RegExp(`ISOBAR_MQTT=${url}`) })
})

t.test('an address that is not here names the setting', async t => {
  await t.rejects(listen(nobody, on('mqtt://192.0.2.1:0', true)), { code: 'ISO_LISTEN_REFUSED', message: /ISOBAR_MQTT=mqtt:\/\/192\.0\.2\.1:0/ })
})

t.test('beyond loopback clients without a login are let in only when the setting says so', async t => {
  await t.rejects(listen(nobody, on('mqtt://0.0.0.0:0')), { code: 'ISO_LISTEN_ANONYMOUS', message: /ISOBAR_ANONYMOUS/ })
  await t.rejects(listen(nobody, on('mqtt://[::]:0')), { code: 'ISO_LISTEN_ANONYMOUS' })
  const { broker } = await openTestBroker(t, { rules: { anonymous: '1' } })
  const listener = await listen(broker, on('mqtt://0.0.0.0:0', true))
  t.teardown(() => listener.close())
  const client = await connectRaw(t, listener.url.replace('0.0.0.0', '127.0.0.1'), { clientId: 'dev-1' })
  t.same(await client.subscribe(['$SYS/#', 0]), [128], '$SYS is for those on a loopback listener')
})

t.test('loopback is 127.0.0.0/8, ::1 and localhost', async t => {
  for (const host of ['127.0.0.1', '127.9.8.7', '::1', 'localhost']) t.equal(isLoopback(host), true, host)
  for (const host of ['0.0.0.0', '::', '192.168.0.1', '127.0.0.1.example.org', 'localhost.example.org', '']) t.equal(isLoopback(host), false, host)
})

t.test('after close nobody new is let in, and those who are in go on', async t => {
  const { broker, connect } = await openTestBroker(t)
  const listener = await listen(broker, on('mqtt://127.0.0.1:0'))
  const inside = await connectRaw(t, listener.url, { clientId: 'inside' })
  await listener.close()
  await t.rejects(connectRaw(t, listener.url, { clientId: 'late' }), { code: 'ECONNREFUSED' })
  await inside.ping()
  await (await connect({ clientId: 'other' })).ping()
})

t.test('a failure to accept is counted, and the listener goes on', async t => {
  const { broker, logged } = await openTestBroker(t)
  broker.acceptFailed(new Error('EMFILE'))
  broker.acceptFailed(new Error('EMFILE'))
  t.equal(broker.stats().acceptFailures, 2)
  t.equal(logged.length, 1)
})
