import t from 'tap'
import { environment } from '../../lib/config.ts'
import { seededRandom } from '../../lib/random.ts'
import { Stage } from '../helpers/access-stage.ts'

// Clients come, subscribe, publish and vanish over sockets while the files of the access rules change under them. ISOBAR_TEST_ACCESS_SEEDS takes more runs.

const seeds = Number(environment().ISOBAR_TEST_ACCESS_SEEDS ?? 10)
const firstSeed = Number(environment().ISOBAR_TEST_ACCESS_SEED ?? 1)
const stepsOfSeed = 200
if (seeds > 100) t.setTimeout(7_200_000)
const counts: Record<string, number> = {}

for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
  t.test(`nobody receives or causes a message that the rules of that moment refuse, and everybody gets what they allow (seed ${seed})`, async t => {
    const stage = await Stage.open(t, seededRandom(seed))
    for (let step = 0; step < stepsOfSeed; step++) {
      await stage.step()
      if (stage.ledger.faults.length > 0) break
    }
    t.same(stage.ledger.faults, [])
    for (const [name, count] of Object.entries(stage.ledger.counts)) counts[name] = (counts[name] ?? 0) + count
  })
}

t.test('the drawn runs had some of everything', { skip: seeds < 10 }, async t => {
  t.comment(JSON.stringify(counts))
  for (const name of ['logins', 'refused logins', 'filters', 'refused filters', 'messages', 'refused messages', 'deliveries', 'revoked', 'broken files', 'wills']) t.ok((counts[name] ?? 0) > 0, `${name}: ${counts[name]}`)
})
