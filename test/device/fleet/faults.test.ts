import t from 'tap'
import { createDice, faultKinds, type FaultKind } from '../../../device/fleet/faults.ts'

function hitsOf (kind: FaultKind, kinds: readonly FaultKind[], seed: number): readonly number[] {
  const dice = createDice(kind, { kinds, every: 20 }, seed)
  return Array.from({ length: 10_000 }, (_, index) => index).filter(() => dice.hits())
}

t.test('a seed decides when a fault begins, whichever other kinds there are', async t => {
  for (const kind of faultKinds) {
    const alone = hitsOf(kind, [kind], 7)
    t.same(alone, hitsOf(kind, faultKinds, 7), kind)
    t.notSame(alone, hitsOf(kind, [kind], 8), kind)
    t.ok(alone.length > 350 && alone.length < 650, `${kind}: ${alone.length} of 10,000, one in 20 was asked for`)
  }
  t.notSame(hitsOf('outages', faultKinds, 7), hitsOf('drops', faultKinds, 7), 'kinds do not come together')
})

t.test('a kind that is not asked for never comes', async t => {
  t.same(hitsOf('sensor', ['clock'], 7), [])
})

t.test('a number between two bounds may be either of them', async t => {
  const dice = createDice('clock', { kinds: ['clock'], every: 2 }, 1)
  t.same(new Set(Array.from({ length: 200 }, () => dice.between(3, 5))), new Set([3, 4, 5]))
})
