import { once } from 'node:events'
import t from 'tap'
import { startTestGateway } from '../helpers/gateway.ts'
import { connectRaw, openRaw, packets, type ConnectFields, type RawClient, type Received } from '../helpers/raw-mqtt.ts'

function shown ({ topic, payload, qos, retain, dup }: Received): string {
  return `${topic} ${payload.toString()} qos ${qos}${retain ? ' retained' : ''}${dup ? ' dup' : ''}`
}

t.test('sessions, what waits and is in flight in them, retained messages and wills survive kill -9: what was acknowledged is there', { timeout: 290_000 }, async t => {
  const gateway = await startTestGateway(t)
  const connect = async (fields: ConnectFields): Promise<RawClient> => await connectRaw(t, gateway.mqttUrl, fields)
  const app = await connect({ clientId: 'app', clean: false })
  app.acknowledges = false
  t.same(await app.subscribe(['a/#', 2], ['iot/v1/dev/state', 1]), [2, 1])
  const device = await connect({ clientId: 'dev', clean: false })
  device.send(packets.publish({ topic: 'a/1', payload: 'one', qos: 1, id: 1 }), packets.publish({ topic: 'a/1', payload: 'two', qos: 2, id: 2 }))
  t.same([(await device.next()).type, (await device.next()).type], ['puback', 'pubrec'])
  const inFlight = await app.take(2, 'publish')
  app.send(packets.pubrec(inFlight[1]!.id))
  await app.next('pubrel')
  await app.vanish()
  device.send(packets.publish({ topic: 'iot/v1/dev/state', payload: 'online', qos: 1, id: 3, retain: true }))
  device.send(...Array.from({ length: 50 }, (_, i) => packets.publish({ topic: 'a/2', payload: `m${i}`, qos: i % 2 === 0 ? 1 : 2, id: 100 + i, retain: i === 49 })))
  for (let acknowledged = 0; acknowledged < 51;) if (/^pub(ack|rec)$/.test((await device.next()).type)) acknowledged++
  // Two who are connected, with a will, when the process is killed; one more has said good-bye, and one was replaced.
  const will = (id: string): ConnectFields => ({ clientId: id, will: { topic: `iot/v1/${id}/state`, payload: 'offline', qos: 1, retain: true } })
  for (const id of ['pi-1', 'pi-2', 'pi-3', 'pi-2']) {
    const pi = await connect(will(id))
    pi.send(packets.publish({ topic: `iot/v1/${id}/state`, payload: 'online', qos: 1, id: 1, retain: true }))
    await pi.next('puback')
    if (id !== 'pi-3') continue
    pi.send(packets.disconnect())
    await pi.closed()
  }
  await gateway.kill()
  await gateway.restart()

  const again = await openRaw(t, gateway.mqttUrl)
  again.acknowledges = false
  again.send(packets.connect({ clientId: 'app', clean: false }))
  t.same((await again.next('connack')).codes, [1, 0], 'the session is present')
  const first = await again.next()
  t.same([shown(first), first.id], ['a/1 one qos 1 dup', inFlight[0]!.id])
  const second = await again.next()
  t.same([second.type, second.id], ['pubrel', inFlight[1]!.id])
  const waited = await again.take(51, 'publish')
  t.same(waited.map(shown), ['iot/v1/dev/state online qos 1', ...Array.from({ length: 50 }, (_, i) => `a/2 m${i} qos ${i % 2 === 0 ? 1 : 2}`)])

  const deviceAgain = await connect({ clientId: 'dev', clean: false })
  deviceAgain.send(packets.publish({ topic: 'a/1', payload: 'two', qos: 2, id: 2, dup: true })) // [MQTT-4.3.3-2] its PUBREL has not come: it is known
  await deviceAgain.next('pubrec')
  deviceAgain.send(packets.pubrel(2))
  await deviceAgain.next('pubcomp')
  await again.ping()
  t.same(again.received.filter(packet => packet.type === 'publish' && packet.topic === 'a/1').length, 1, 'it is not published again')

  const fresh = await connect({ clientId: 'fresh' })
  await fresh.subscribe(['#', 0])
  const retained = new Set<string>()
  while (retained.size < 5) {
    const packet = await fresh.next('publish')
    if (packet.retain && !packet.topic.startsWith('iot/v1/gateway')) retained.add(shown(packet))
  }
  t.same([...retained].sort(), ['a/2 m49 qos 0 retained', 'iot/v1/dev/state online qos 0 retained',
    'iot/v1/pi-1/state offline qos 0 retained', 'iot/v1/pi-2/state offline qos 0 retained', 'iot/v1/pi-3/state online qos 0 retained'], 'wills are sent for connections that ended with the process [MQTT-3.1.2-8]')
  again.socket.destroy()
  await once(again.socket, 'close')
})
