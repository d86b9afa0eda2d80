import t from 'tap'
import { searchInbox } from '../../inbox/search.ts'
import { realClock } from '../../lib/clock.ts'
import { append, clockOfSteps, incoming, openTestInbox, openTestReader, readAll, settledAs, testInboxDir } from '../helpers/inbox.ts'

t.test('it finds what is not settled, the oldest first, up to a number', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const reader = openTestReader(t, dir)
  for (let n = 0; n < 5; n++) await Promise.all(Array.from({ length: 20 }, async (_, m) => await append(inbox, incoming({ deviceId: `dev-${m % 4}`, payload: Buffer.from(`${n}/${m}`) }))))
  await inbox.settle(readAll(reader).filter(({ number }) => number <= 10).map(delivery => settledAs('stored', delivery)))
  const search = async (max: number): Promise<{ texts: string[], complete: boolean }> => {
    const { deliveries, complete } = await searchInbox(reader, ({ deviceId }) => deviceId === 'dev-3', max, { clock: realClock })
    return { texts: deliveries.map(({ payload }) => Buffer.from(payload).toString()), complete }
  }
  const all = await search(1_000)
  t.same(all.texts.slice(0, 4), ['0/11', '0/15', '0/19', '1/3'])
  t.equal(all.texts.length, 3 + 4 * 5)
  t.equal(all.complete, true)
  t.same(await search(2), { texts: ['0/11', '0/15'], complete: false })
})

t.test('when the time runs out it says that it has not seen all', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  for (let n = 0; n < 4; n++) await append(inbox)
  const { deliveries, complete } = await searchInbox(openTestReader(t, dir), () => true, 100, { clock: clockOfSteps(1_000), maxMs: 3_000 })
  t.equal(complete, false)
  t.ok(deliveries.length > 0 && deliveries.length < 4, `${deliveries.length} found`)
})
