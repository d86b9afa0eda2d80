import t from 'tap'
import { everyDevice, Interest } from '../../broker/interest.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'

const dev1 = 'dev-1' as DeviceId
const dev2 = 'dev-2' as DeviceId

function openInterest (): Interest {
  return new Interest(new Topics('iot/v1'))
}

t.test('a filter matches the mirror topic of every device, of one, or of none', async t => {
  const interest = openInterest()
  const scopes: Array<readonly [filter: string, json: string | null, last: string | null]> = [
    ['#', everyDevice, everyDevice],
    ['iot/#', everyDevice, everyDevice],
    ['iot/v1/+/json', everyDevice, null],
    ['iot/+/+/last', null, everyDevice],
    ['+/+/+/+', everyDevice, everyDevice],
    ['iot/v1/+/#', everyDevice, everyDevice],
    ['iot/v1/dev-1/#', 'dev-1', 'dev-1'],
    ['iot/v1/dev-1/json/#', 'dev-1', null],
    ['+/v1/dev-1/json', 'dev-1', null],
    ['iot/v1/dev-1/+', 'dev-1', 'dev-1'],
    ['iot/v1/dev-1', null, null],
    ['iot/v1/+/tele', null, null],
    ['iot/v2/#', null, null],
    ['iot/v1/+/json/+', null, null],
    ['iot/v1/+', null, null],
    ['', null, null]
  ]
  for (const [filter, json, last] of scopes) {
    // A `#` as the only thing behind a topic matches that topic too [MQTT-4.7.1-2].
    t.equal(interest.scopeOf(filter, 'json'), json, `${filter} json`)
    t.equal(interest.scopeOf(filter, 'last'), last, `${filter} last`)
  }
})

t.test('somebody listens as long as a subscription is there', async t => {
  const interest = openInterest()
  const [every, one, another] = [{}, {}, {}]
  t.equal(interest.json.any, false)
  interest.add('iot/v1/dev-1/json', one)
  t.same([interest.json.any, interest.json.has(dev1), interest.json.has(dev2), interest.last.any], [true, true, false, false])
  interest.add('iot/v1/dev-1/+', another)
  interest.add('#', every)
  t.same([interest.json.has(dev2), interest.last.has(dev2)], [true, true])
  interest.remove(every)
  interest.remove(one)
  t.same([interest.json.has(dev1), interest.json.has(dev2), interest.last.has(dev1)], [true, false, true])
  interest.remove(another)
  t.same([interest.json.any, interest.last.any], [false, false])
})

t.test('a subscription that ends twice, or is none of these, counts once', async t => {
  const interest = openInterest()
  const [one, another, foreign] = [{}, {}, {}]
  interest.add('#', one)
  interest.add('#', another)
  interest.add('other/topic', foreign)
  for (const subscription of [one, one, foreign, {}]) interest.remove(subscription)
  t.equal(interest.json.has(dev1), true)
})

t.test('a device whose name is that of a wildcard in words is one device', async t => {
  const interest = openInterest()
  interest.add('iot/v1/all/json', {})
  t.equal(interest.json.has(dev1), false)
  t.equal(interest.json.has('all' as DeviceId), true)
})

t.test('the topics of different leaves are told apart', async t => {
  const interest = openInterest()
  t.equal(interest.scopeOf('iot/v1/dev-1/stored', 'stored'), 'dev-1')
  t.equal(interest.scopeOf('iot/v1/+/last', 'stored'), null)
  const one = {}
  interest.add('iot/v1/dev-1/stored', one)
  t.same([interest.stored.has(dev1), interest.stored.has(dev2), interest.json.any, interest.last.any], [true, false, false, false])
  interest.remove(one)
  t.equal(interest.stored.any, false)
})
