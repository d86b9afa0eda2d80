import t from 'tap'
import { Verdicts } from '../../cli/verdicts.ts'
import { encodeStored } from '../../schemas/stored.ts'
import { type DeviceId } from '../../schemas/topics.ts'

const pi = 'pi' as DeviceId
const at = 1_790_000_000_000
const id = '0a1b'

type Settled = Array<[number, number, number]>

function stored (settled: Settled, dead: Array<[number, number, number, string]> = []): Buffer {
  return Buffer.from(encodeStored({ at, settled, dead }))
}

t.test('what was shown gets its verdict once, whatever else the ranges tell of', async t => {
  const verdicts = new Verdicts()
  verdicts.shown(pi, 7, 10, 12)
  verdicts.shown(pi, 7, 13, 19)
  verdicts.shown(pi, 8, 0, 0)
  t.same(verdicts.stored(pi, stored([[6, 0, 1000], [7, 0, 14]])), [{ deviceId: 'pi', readings: { boot: 7, from: 10, to: 14 }, dead: null }])
  t.same(verdicts.stored(pi, stored([[7, 0, 16], [7, 18, 18]])), [15, 18].map((from, n) => ({ deviceId: 'pi', readings: { boot: 7, from, to: [16, 18][n] }, dead: null })))
  t.same(verdicts.stored('other' as DeviceId, stored([[7, 0, 100]])), [])
  t.equal(verdicts.waiting, true)
  t.equal(verdicts.stored(pi, stored([[7, 0, 19], [8, 0, 0]])).length, 3)
  t.equal(verdicts.waiting, false)
})

t.test('the reason comes with the notice, and what the ranges tell later of the same readings is no second verdict', async t => {
  const verdicts = new Verdicts()
  verdicts.shown(pi, 7, 0, 9)
  const notice = { code: 'ISO_READING_TIME', reason: 'too old', at, id }
  t.same(verdicts.error(pi, Buffer.from(JSON.stringify({ ...notice, boot: 7, seqs: [[3, 4]] }))), [{ deviceId: 'pi', readings: { boot: 7, from: 3, to: 4 }, dead: { code: 'ISO_READING_TIME', reason: 'too old', id } }])
  t.same(verdicts.stored(pi, stored([[7, 0, 2]], [[7, 3, 4, 'ISO_READING_TIME'], [7, 9, 9, 'ISO_READING_TIME']])).map(({ readings, dead }) => [readings?.from, dead?.code]), [[9, 'ISO_READING_TIME'], [0, undefined]])
  t.same(verdicts.error(pi, Buffer.from(JSON.stringify(notice))), [{ deviceId: 'pi', readings: null, dead: { code: 'ISO_READING_TIME', reason: 'too old', id } }], 'a message that is no telemetry has no readings')
})

t.test('payloads that cannot be read say nothing', async t => {
  const verdicts = new Verdicts()
  verdicts.shown(pi, 7, 0, 0)
  for (const bytes of ['', '{', '{}', 'null', '[1]']) t.same([...verdicts.stored(pi, Buffer.from(bytes)), ...verdicts.error(pi, Buffer.from(bytes))], [])
})

t.test('so many runs of readings wait at most; the oldest are forgotten', async t => {
  const verdicts = new Verdicts()
  for (let n = 0; n <= 10_000; n++) verdicts.shown(pi, 7, 2 * n, 2 * n)
  t.equal(verdicts.stored(pi, stored([[7, 0, 40_000]])).length, 10_000)
  t.equal(verdicts.waiting, false)
})
