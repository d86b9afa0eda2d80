import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { type InboxReader } from '../../inbox/reader.ts'
import { type Counters, type Incoming, type Settled } from '../../schemas/delivery.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { createTestClock } from '../helpers/clock.ts'
import { incoming, openTestInbox, openTestReader, readAll, testInboxDir } from '../helpers/inbox.ts'

/** What an inbox has to be, in the plainest words. */
class Model {
  next = 1
  ignored = 0
  readonly open = new Map<number, Incoming>()
  readonly counters = new Map<DeviceId, { -readonly [K in keyof Counters]: Counters[K] }>()

  append (delivery: Incoming): void {
    this.open.set(this.next++, delivery)
    if (delivery.readings === 0) return
    const counters = this.counters.get(delivery.deviceId) ?? { received: 0, stored: 0, duplicate: 0, dead: 0, pending: 0, lastBoot: null, lastSeq: null }
    this.counters.set(delivery.deviceId, counters)
    counters.received += delivery.readings
    counters.pending += delivery.readings
    if (delivery.boot !== null) Object.assign(counters, { lastBoot: delivery.boot, lastSeq: delivery.lastSeq })
  }

  settle ({ number, deviceId, stored, duplicate, dead }: Settled): void {
    const delivery = this.open.get(number)
    if (delivery === undefined) {
      this.ignored++
      return
    }
    this.open.delete(number)
    const counters = this.counters.get(deviceId)
    if (counters === undefined) return
    counters.stored += stored
    counters.duplicate += duplicate
    counters.dead += dead
    counters.pending -= delivery.readings
  }
}

function draw (random: () => number, below: number): number {
  return Math.floor(random() * below)
}

function drawIncoming (random: () => number): Incoming {
  const readings = random() < 0.1 ? 0 : 1 + draw(random, 9)
  const known = readings > 0 && random() < 0.9
  return incoming({
    deviceId: `dev-${draw(random, 7)}`,
    readings,
    boot: known ? draw(random, 2 ** 32) : null,
    lastSeq: known ? draw(random, 2 ** 32) : null,
    payload: new Uint8Array(draw(random, 400)).fill(draw(random, 256))
  })
}

function drawSettled (random: () => number, number: number, { deviceId, readings }: Incoming): Settled {
  const stored = draw(random, readings + 1)
  const duplicate = draw(random, readings - stored + 1)
  return { number, deviceId, stored, duplicate, dead: readings - stored - duplicate }
}

function drawSettlement (random: () => number, model: Model): Settled[] {
  const settlement: Settled[] = []
  const share = random()
  for (const [number, delivery] of model.open) if (random() < share) settlement.push(drawSettled(random, number, delivery))
  if (settlement.length > 0 && random() < 0.3) settlement.push(settlement[0]!) // twice
  if (random() < 0.3) settlement.push(drawSettled(random, model.next + draw(random, 3), incoming())) // never there
  return random() < 0.2 ? settlement.reverse() : settlement
}

/** `t.same` takes long over thousands of deliveries, which are the same most often. */
function same (t: Test, found: unknown, wanted: unknown, name: string): void {
  if (isDeepStrictEqual(found, wanted)) t.pass(name)
  else t.same(found, wanted, name)
}

for (const seed of [1, 2, 3, 4]) {
  t.test(`appends, settlements and restarts leave what a plain model says, seed ${seed}`, async t => {
    const random = seededRandom(seed)
    const dir = testInboxDir(t)
    const model = new Model()
    const clock = createTestClock()
    let inbox: Inbox = await openTestInbox(t, { dir, clock })
    let rewritten = 0
    let reader: InboxReader = openTestReader(t, dir)
    let ignoredBefore = 0
    const flushed: number[] = []
    for (let step = 0; step < 60; step++) {
      const waits: Array<Promise<void>> = []
      if (random() < 0.7) {
        for (let count = draw(random, random() < 0.5 ? 5 : 300); count >= 0; count--) {
          const delivery = drawIncoming(random)
          const number = model.next
          model.append(delivery)
          waits.push(new Promise(resolve => inbox.append(delivery, () => { flushed.push(number); resolve() })))
        }
      }
      if (random() < 0.5) await Promise.all(waits) // else what is settled is perhaps in the same commit
      if (random() < 0.6) {
        const settlement = drawSettlement(random, model)
        const committed = new Set(readAll(reader).map(({ number }) => number))
        const possible = settlement.filter(({ number }) => committed.has(number) || !model.open.has(number)) // nobody settles what it cannot have read
        for (const settled of possible) model.settle(settled)
        waits.push(inbox.settle(possible))
      }
      await Promise.all(waits)
      if (random() < 0.4) await clock.advance(2_000) // time to rewrite sparse groups
      if (random() < 0.15) {
        ignoredBefore += inbox.stats().ignoredSettlements
        rewritten += inbox.stats().rewrittenGroups
        await reader.close()
        await inbox.close()
        inbox = await openTestInbox(t, { dir, clock })
        reader = openTestReader(t, dir)
      }
      const expected = [...model.open].map(([number, { boot, lastSeq, ...rest }]) => ({ number, ...rest }))
      same(t, readAll(reader), expected, `deliveries, step ${step}`)
      same(t, inbox.counters(), model.counters, `counters, step ${step}`)
      t.match(inbox.backlog(), { deliveries: model.open.size, readings: [...model.open.values()].reduce((sum, { readings }) => sum + readings, 0) })
      t.equal(ignoredBefore + inbox.stats().ignoredSettlements, model.ignored)
      t.equal(inbox.stats().mismatchedSettlements, 0)
    }
    t.ok(rewritten + inbox.stats().rewrittenGroups > 0, 'sparse groups were rewritten')
    t.same(flushed, Array.from({ length: model.next - 1 }, (_, i) => i + 1), 'each acknowledged once, in order')
  })
}
