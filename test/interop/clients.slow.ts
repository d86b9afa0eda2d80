import t from 'tap'
import { startTestGateway } from '../helpers/gateway.ts'
import { clients, type Message, type Subscription } from './clients.ts'

// `npm run test:interop`: clients that others have made, against a gateway of its own.

const small = ['', 'x', 'two words']
const large = 'l'.repeat(60_000)

function line ({ topic, payload, qos }: Message, retain: boolean): string {
  return `${topic} ${qos} ${retain ? 1 : 0} ${payload.length} ${payload.slice(0, 20)}`.trim()
}

async function taken (subscription: Subscription, count: number): Promise<string[]> {
  return (await subscription.take(count)).map(text => text.trim())
}

const gateway = await startTestGateway(t)
const port = (): number => Number(new URL(gateway.mqttUrl).port)

for (const { name, missing, publish, subscribe } of clients) {
  const skip = missing !== null && `not installed: ${missing}`
  const root = name.split(/[ _.]/)[0]!.toLowerCase()

  t.test(`${name}: messages of QoS 0, 1 and 2, small and large, come in order`, { skip, timeout: 60_000 }, async t => {
    const subscription = await subscribe(port(), { filter: `${root}/live/#`, qos: 2, clientId: `${root}-live` })
    const messages = ([0, 1, 2] as const).flatMap(qos => [...small.slice(1), large].map((payload): Message => ({ topic: `${root}/live/${qos}`, payload, qos })))
    for (const message of messages) await publish(port(), message)
    t.same(await taken(subscription, messages.length), messages.map(message => line(message, false)))
    await subscription.kill()
  })

  t.test(`${name}: a retained message comes with its flag, and an empty one takes it away`, { skip, timeout: 60_000 }, async t => {
    const kept: Message = { topic: `${root}/kept`, payload: 'kept', qos: 1, retain: true }
    await publish(port(), kept)
    const first = await subscribe(port(), { filter: `${root}/kept`, qos: 1, clientId: `${root}-kept` })
    t.same(await taken(first, 1), [line(kept, true)])
    await publish(port(), { ...kept, payload: '' })
    t.same(await taken(first, 1), [line({ ...kept, payload: '' }, false)])
    await first.kill()
    const second = await subscribe(port(), { filter: `${root}/#`, qos: 1, clientId: `${root}-kept` })
    await publish(port(), { topic: `${root}/end`, payload: 'end', qos: 1 })
    t.match(await taken(second, 1), [/end$/])
    await second.kill()
  })

  t.test(`${name}: the will of a client that is killed is sent`, { skip, timeout: 60_000 }, async t => {
    const watching = await subscribe(port(), { filter: `${root}/will`, qos: 1, clientId: `${root}-watching` })
    const dying = await subscribe(port(), { filter: `${root}/nothing`, qos: 0, clientId: `${root}-dying`, will: { topic: `${root}/will`, payload: 'gone' } })
    await dying.kill()
    t.same(await taken(watching, 1), [`${root}/will 1 0 4 gone`])
    await watching.kill()
  })

  t.test(`${name}: what was published while a session was away, and the gateway killed, comes afterwards`, { skip, timeout: 90_000 }, async t => {
    const session = { filter: `${root}/session`, qos: 1, clientId: `${root}-session`, clean: false } as const
    await (await subscribe(port(), session)).kill()
    const messages = small.slice(1).map((payload): Message => ({ topic: `${root}/session`, payload, qos: 1 }))
    for (const message of messages) await publish(port(), message)
    await gateway.kill()
    await gateway.restart()
    const again = await subscribe(port(), session)
    t.same(await taken(again, messages.length), messages.map(message => line(message, false)))
    await again.kill()
  })
}

t.test('a message reaches 1,000 subscribers of MQTT.js', { timeout: 120_000 }, async t => {
  const { subscribe, publish } = clients.find(({ name }) => name === 'MQTT.js')!
  const subscriptions: Subscription[] = []
  for (let n = 0; n < 1000; n++) subscriptions.push(await subscribe(port(), { filter: 'all/#', qos: 1, clientId: `sub-${n}` }))
  await publish(port(), { topic: 'all/1', payload: 'to all', qos: 1 })
  const came = await Promise.all(subscriptions.map(async subscription => (await taken(subscription, 1))[0]))
  t.same(new Set(came), new Set(['all/1 1 0 6 to all']))
  await Promise.all(subscriptions.map(async subscription => await subscription.kill()))
})
