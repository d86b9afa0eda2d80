import t from 'tap'
import { Rejections } from '../../broker/rejection.ts'
import { createTestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'

const refused = { clientId: 'dev-1', address: '10.0.0.1', rule: 'keepalive', clause: 'MQTT-3.1.2-24', detail: 'nothing came' }

t.test('every rejection is counted and kept; the log has one line a second for each rule and address, with how many it left out', async t => {
  const clock = createTestClock()
  const { log, lines } = createTestLog()
  const rejections = new Rejections({ clock, log })
  for (let i = 0; i < 5; i++) rejections.refuse(refused)
  rejections.refuse({ ...refused, address: '10.0.0.2' })
  rejections.refuse({ ...refused, rule: 'packetSize', clause: null, clientId: null })
  t.match(lines, [{ ...refused, omitted: 0, msg: 'refused' }, { address: '10.0.0.2', omitted: 4 }, { rule: 'packetSize', omitted: 0 }])
  t.equal(lines.length, 3)
  await clock.advance(1000)
  rejections.refuse(refused)
  t.match(lines[3], { ...refused, omitted: 0 })
  t.match(rejections.counts(), { keepalive: 7, packetSize: 1, firstPacket: 0 })
  t.equal(rejections.newest().rejections.length, 8)
})

t.test('many addresses at once are counted, and make at most 50 lines a second', async t => {
  const clock = createTestClock()
  const { log, lines } = createTestLog()
  const rejections = new Rejections({ clock, log })
  for (let i = 0; i < 500; i++) rejections.refuse({ ...refused, address: `10.0.1.${i}` })
  t.equal(lines.length, 50)
  await clock.advance(1000)
  rejections.refuse(refused)
  t.match(lines[50], { omitted: 450 })
})

t.test('the newest 1,000 are kept, numbered from the start, and given after a number or to a limit', async t => {
  const clock = createTestClock()
  const { log } = createTestLog()
  const rejections = new Rejections({ clock, log })
  for (let i = 1; i <= 1200; i++) rejections.refuse({ ...refused, detail: String(i) })
  const { rejections: kept, startedAt } = rejections.newest()
  t.equal(startedAt, clock.now())
  t.same([kept.length, kept[0]!.n, kept[0]!.detail, kept[999]!.n, kept[999]!.detail], [1000, 201, '201', 1200, '1200'])
  t.same(rejections.newest(1198).rejections.map(({ n }) => n), [1199, 1200])
  t.same(rejections.newest(0, 2).rejections.map(({ n }) => n), [1199, 1200])
  t.same(rejections.newest(1200).rejections, [])
})
