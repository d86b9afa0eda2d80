import t from 'tap'
import { runCli } from '../helpers/cli.ts'

interface Printed { readonly phases: ReadonlyArray<Record<string, unknown>>, readonly promises: ReadonlyArray<{ readonly promise: string, readonly holds: boolean }> }

for (const fault of ['stop', 'freeze']) {
  t.test(`a drill in which the database does ${fault} shows that every promise holds`, async t => {
    const { code, stdout, stderr } = await runCli(t, ['drill', '--outage', '2s', '--fault', fault, '--devices', '20', '--rate', '200', '--json'])
    t.equal(code, 0, stderr)
    const { phases, promises } = JSON.parse(stdout) as Printed
    t.match(phases, [{ phase: 'before' }, { phase: 'during', rows: null }, { phase: 'after', pending: 0, dead: 0 }])
    t.equal(promises.length, 5)
    t.same(promises.filter(({ holds }) => !holds), [])
  })
}

t.test('options that cannot be meant are refused', async t => {
  for (const args of [['--outage', '1min'], ['--fault', 'burn'], ['--rate', '0']]) t.match(await runCli(t, ['drill', ...args]), { code: 2 })
})
