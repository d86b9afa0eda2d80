import t from 'tap'
import { hasTest, readDocs } from '../helpers/docs.ts'

/** How many numbered statements each section of MQTT 3.1.1 has, by its appendix B. */
const statements = { '1.5.3': 3, '2.2.2': 2, '2.3.1': 7, '3.1.0': 2, '3.1.2': 24, '3.1.3': 11, '3.1.4': 5, '3.2.0': 1, '3.2.2': 6, '3.3.1': 12, '3.3.2': 3, '3.3.4': 1, '3.3.5': 2, '3.6.1': 1, '3.8.1': 1, '3.8.3': 4, '3.8.4': 6, '3.9.3': 2, '3.10.1': 1, '3.10.3': 2, '3.10.4': 6, '3.12.4': 1, '3.14.1': 1, '3.14.4': 3, '4.1.0': 2, '4.3.1': 1, '4.3.2': 2, '4.3.3': 2, '4.4.0': 1, '4.5.0': 2, '4.6.0': 6, '4.7.1': 3, '4.7.2': 1, '4.7.3': 4, '4.8.0': 2, '6.0.0': 4, '7.0.0': 2, '7.1.1': 1, '7.1.2': 1 }

const rows = readDocs('CONFORMANCE.md').filter(line => line.startsWith('| [MQTT-')).map(line => line.split(/(?<!\\)\|/).map(cell => cell.trim()).slice(1, 5) as [clause: string, asks: string, kept: string, test: string])

t.test('docs/CONFORMANCE.md has every numbered statement of MQTT 3.1.1 once, in order', async t => {
  const numbers = Object.entries(statements).flatMap(([section, count]) => Array.from({ length: count }, (_, n) => `[MQTT-${section}-${n + 1}]`))
  t.equal(numbers.length, 141)
  t.same(rows.map(([clause]) => clause), numbers)
})

t.test('each statement that is kept names a test that exists; each other one says why not', async t => {
  for (const [clause, , kept, shown] of rows) {
    if (!kept.startsWith('kept')) {
      t.ok(/^(the client's|not applicable: .)/.test(kept) && shown === '–', `${clause}: ${kept}`)
      continue
    }
    t.ok(hasTest(shown), `${clause}: ${shown}`)
  }
})
