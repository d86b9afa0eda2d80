import t from 'tap'
import { StoredTopic } from '../../broker/stored.ts'
import { Interest } from '../../broker/interest.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { openTestBroker } from '../helpers/broker.ts'

const topics = new Topics('iot/v1')
const ids = (count: number): DeviceId[] => Array.from({ length: count }, (_, n) => `dev-${n}` as DeviceId)

interface TestTopic {
  readonly stored: StoredTopic
  readonly published: string[]
  readonly interest: Interest
  /** Lets what has begun go on to its end. */
  settle (): Promise<void>
}

function open (maxDevices = 100, { opened = true } = {}): TestTopic & { openIt (): void } {
  const published: string[] = []
  const interest = new Interest(topics)
  const stored = new StoredTopic(maxDevices)
  const openIt = (): void => stored.open({ topics, interest, publish: async (topic, payload) => { published.push(`${topic} ${payload}`) } })
  if (opened) openIt()
  return { stored, published, interest, openIt, settle: async () => await new Promise(resolve => setImmediate(resolve)) }
}

t.test('nothing is published for nobody, and the newest is there when somebody subscribes', async t => {
  const { stored, published } = open()
  stored.take(ids(2), ['a', 'b'])
  stored.take(ids(1), ['c'])
  t.same(published, [])
  await stored.renderFor('iot/v1/dev-0/stored')
  t.same(published, ['iot/v1/dev-0/stored c'])
  await stored.renderFor('iot/v1/+/json')
  t.equal(published.length, 1)
  await stored.renderFor('#')
  t.same(published.slice(1), ['iot/v1/dev-1/stored b'])
  await stored.renderFor('#')
  t.equal(published.length, 2, 'what is retained already is not published again')
})

t.test('while somebody listens each change is published at once', async t => {
  const { stored, published, interest } = open()
  const subscription = {}
  interest.add('iot/v1/dev-1/stored', subscription)
  stored.take(ids(3), ['a', 'b', 'c'])
  t.same(published, ['iot/v1/dev-1/stored b'])
  interest.remove(subscription)
  stored.take(ids(3), ['d', 'e', 'f'])
  t.equal(published.length, 1)
})

t.test('a change of many devices goes out in pieces, each device once', async t => {
  const { stored, published, interest, settle } = open(1_000)
  interest.add('#', {})
  stored.take(ids(500), ids(500).map(String))
  t.equal(published.length, 200, 'others have their turn in between')
  while (published.length < 500) await settle()
  await settle()
  t.equal(new Set(published).size, 500)
  t.equal(published.length, 500)
})

t.test('what the bridge told before there was a broker is not lost', async t => {
  const { stored, published, interest, openIt } = open(100, { opened: false })
  interest.add('#', {})
  stored.take(ids(1), ['a'])
  await stored.renderFor('#')
  t.same(published, [])
  openIt()
  t.same(published, ['iot/v1/dev-0/stored a'])
})

t.test('beyond the limit the topic of the devices that changed the longest time ago is cleared', async t => {
  const { stored, published } = open(2)
  for (const [n, id] of ids(3).entries()) {
    stored.take([id], [String(n)])
    await stored.renderFor('#')
  }
  t.same(published, ['iot/v1/dev-0/stored 0', 'iot/v1/dev-1/stored 1', 'iot/v1/dev-2/stored 2', 'iot/v1/dev-0/stored '])
  stored.take(ids(5), ids(5).map(String))
  await stored.renderFor('#')
  t.match(published.slice(4), [/dev-3/, /dev-1\/stored $/, /dev-4/, /dev-2\/stored $/], 'of what waits, too, the newest are kept')
  t.equal(stored.forgotten, 1 + 3 + 2)
})

t.test('a client that subscribes gets the newest ranges, retained, and then every change', async t => {
  const stored = new StoredTopic(10)
  const { connect } = await openTestBroker(t, { stored })
  stored.take(ids(2), ['{"at":1}', '{"at":2}'])
  const client = await connect({ clientId: 'listener' })
  t.same(await client.subscribe(['iot/v1/dev-0/stored', 1]), [1])
  t.match(await client.next('publish'), { topic: 'iot/v1/dev-0/stored', qos: 1, retain: true, payload: Buffer.from('{"at":1}') })
  stored.take(ids(2), ['{"at":3}', '{"at":4}'])
  t.match(await client.next('publish'), { topic: 'iot/v1/dev-0/stored', qos: 1, retain: false, payload: Buffer.from('{"at":3}') })
  const another = await connect({ clientId: 'another' })
  await another.subscribe(['iot/#', 0])
  const both = await another.take(2, 'publish')
  t.same(both.map(({ topic, payload }) => `${topic} ${String(payload)}`).sort(), ['iot/v1/dev-0/stored {"at":3}', 'iot/v1/dev-1/stored {"at":4}'])
})
