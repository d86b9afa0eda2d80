import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { TurnEnd } from '../../broker/turn-end.ts'

t.test('each is called once at the end of the turn, in the order it came', async t => {
  const end = new TurnEnd()
  const called: string[] = []
  const [a, b] = ['a', 'b'].map(name => ({ due: false, turnEnd: () => { called.push(name) } }))
  for (const one of [b!, a!, b!]) end.add(one)
  t.same(called, [])
  await turn()
  t.same(called, ['b', 'a'])
  end.add(a!)
  await turn()
  t.same(called, ['b', 'a', 'a'])
})

t.test('one that is added at the end of a turn is called at the end of the next', async t => {
  const end = new TurnEnd()
  let calls = 0
  const again = { due: false, turnEnd: () => { if (++calls < 3) end.add(again) } }
  end.add(again)
  await turn()
  t.equal(calls, 1)
  await turn()
  await turn()
  t.equal(calls, 3)
})
