import t from 'tap'
import { letterId } from '../../bridge/dead-letters.ts'
import { type Rejection } from '../../bridge/decode.ts'
import { noticeOf, Notices } from '../../bridge/notices.ts'
import { type Letter } from '../../bridge/settle.ts'
import { type LetterNotice } from '../../schemas/dead-letter.ts'
import { type LetterNotices } from '../../schemas/thread.ts'
import { rawDelivery, testNow, type DeliveryOver } from '../helpers/bridge.ts'
import { createTestClock } from '../helpers/clock.ts'

function letterOf (over: DeliveryOver = {}, why: Partial<Rejection> = {}): Letter {
  return { delivery: rawDelivery({ payload: Buffer.from('rubbish'), ...over }), rejection: { stage: 'decode', code: 'ISO_TELEMETRY_CBOR', reason: 'the message is a map (offset 0)', readings: 1, seqs: [], ...why } }
}

function open (maxPerMinute: number) {
  const posted: LetterNotices[] = []
  const counters = { noticesTold: 0, noticesOmitted: 0 }
  const clock = createTestClock({ now: testNow })
  return { posted, counters, clock, notices: new Notices({ maxPerMinute, post: notices => posted.push(notices), clock, counters }) }
}

t.test('a notice says what is dead and names its letter', async t => {
  const letter = letterOf()
  t.same(noticeOf(letter, testNow), { code: 'ISO_TELEMETRY_CBOR', reason: 'the message is a map (offset 0)', at: testNow, id: letterId(letter.delivery) })
  t.match(noticeOf(letterOf({}, { seqs: [[7, 1, 3], [7, 9, 9]] }), testNow), { boot: 7, seqs: [[1, 3], [9, 9]] })
})

t.test('a notice stays short, however long the reason and the list of seqs', async t => {
  const { reason, seqs } = noticeOf(letterOf({}, { reason: 'x'.repeat(10_000), seqs: Array.from({ length: 250 }, (_, n) => [7, 2 * n, 2 * n]) }), testNow)
  t.equal(reason.length, 500)
  t.equal(seqs!.length, 16)
})

t.test('each device is told so often a minute; the rest is counted', async t => {
  const { notices, posted, counters, clock } = open(2)
  notices.tell([letterOf({ deviceId: 'a' }), letterOf({ deviceId: 'a' }), letterOf({ deviceId: 'a' }), letterOf({ deviceId: 'b' })])
  t.same(posted.map(({ devices }) => devices), [['a', 'a', 'b']])
  t.match(JSON.parse(posted[0]!.payloads[2]!) as LetterNotice, { id: letterId(letterOf({ deviceId: 'b' }).delivery) })
  notices.tell([letterOf({ deviceId: 'a' })])
  t.equal(posted.length, 1, 'nothing is posted when there is nothing to tell')
  t.same(counters, { noticesTold: 3, noticesOmitted: 2 })
  await clock.advance(60_000)
  notices.tell([letterOf({ deviceId: 'a' })])
  t.equal(posted.length, 2)
})

t.test('a replay is nothing that a device has sent', async t => {
  const { notices, posted, counters } = open(2)
  notices.tell([letterOf({ replayOf: '0'.repeat(32) })])
  t.same(posted, [])
  t.same(counters, { noticesTold: 0, noticesOmitted: 0 })
})
