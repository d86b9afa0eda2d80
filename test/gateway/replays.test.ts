import t from 'tap'
import { type StoredLetter } from '../../bridge/letters.ts'
import { Replays } from '../../gateway/replays.ts'
import { type InboxFull } from '../../inbox/full.ts'
import { realClock } from '../../lib/clock.ts'
import { type Incoming } from '../../schemas/delivery.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'

const payload = encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [0, 1, 2].map(seq => ({ seq, ts: 1_790_000_000_000 + seq, temperatureDeciC: 215, pressurePa: 101_325 })) })

function letterOf (id: string, over: Partial<StoredLetter> = {}): StoredLetter {
  return { id: id.repeat(32), topic: 'iot/v1/dev-1/tele', clientId: 'client', readings: 3, payload, ...over }
}

/** Replays over an inbox that only takes down what is appended. */
function open () {
  const appended: Incoming[] = []
  const inbox = { full: null as InboxFull | null, append: (incoming: Incoming) => appended.push(incoming) + 100 }
  const replays = new Replays({ inbox, topics: new Topics('iot/v1'), clock: realClock })
  const settle = (number: number, dead = 0): void => replays.settled([{ number, deviceId: 'dev-1' as DeviceId, stored: 3 - dead, duplicate: 0, dead }])
  return { appended, inbox, replays, settle }
}

t.test('a replay is a new delivery of the same topic, bytes and client, with the letter\'s mark', async t => {
  const { appended, replays, settle } = open()
  const replaying = replays.replay([letterOf('a'), letterOf('b', { payload: Buffer.from('rubbish') })], 5_000)
  t.match(appended[0], { deviceId: 'dev-1', kind: 'tele', topic: 'iot/v1/dev-1/tele', clientId: 'client', readings: 3, boot: null, lastSeq: null, replayOf: 'a'.repeat(32) })
  t.equal(appended[0]!.payload, payload)
  t.match(appended[1], { readings: 1 }, 'what cannot be decoded counts as one')
  t.same(replays.underWay(), new Set(['a'.repeat(32), 'b'.repeat(32)]))
  settle(101)
  settle(102, 1)
  t.same(await replaying, { done: 1, deadAgain: 1, underWay: 0, passedOver: 0 })
  t.same(replays.underWay(), new Set())
})

t.test('what is not settled in time is under way, until it is', async t => {
  const { replays, settle } = open()
  const replaying = replays.replay([letterOf('a'), letterOf('b')], 30)
  settle(102)
  t.same(await replaying, { done: 1, deadAgain: 0, underWay: 1, passedOver: 0 })
  t.same(replays.underWay(), new Set(['a'.repeat(32)]))
  settle(101)
  t.same(replays.underWay(), new Set())
})

t.test('births, states and foreign topics are passed over', async t => {
  const { appended, replays } = open()
  const letters = ['iot/v1/dev-1/birth', 'iot/v1/dev-1/state', 'other/dev-1/tele'].map((topic, n) => letterOf(String(n), { topic }))
  t.same(await replays.replay(letters, 5_000), { done: 0, deadAgain: 0, underWay: 0, passedOver: 3 })
  t.same(appended, [])
})

t.test('while the inbox is full nothing is replayed, and the cause is told', async t => {
  const { appended, inbox, replays } = open()
  inbox.full = { cause: 'bytes', detail: '64000 bytes are not settled' }
  await t.rejects(replays.replay([letterOf('a')], 5_000), { code: 'ISO_REPLAY_FULL', message: /64000 bytes/ })
  t.same(appended, [])
})
