import t from 'tap'
import { rules } from '../../broker/rules.ts'
import { hasTest, readDocs } from '../helpers/docs.ts'

const rows = readDocs('SECURITY.md').filter(line => line.startsWith('| ') && line.includes('`broker/')).map(line => line.split('|').map(cell => cell.trim()).slice(1, 6) as [attack: string, reaction: string, settings: string, counters: string, test: string])
const settings = [...readDocs('CONFIG.md'), ...readDocs('LIMITS.md')].join('\n')
const metrics = [...readDocs('OPERATIONS.md'), ...readDocs('LIMITS.md')].join('\n')

function codesIn (cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)
}

t.test('each attack of docs/SECURITY.md names settings, rules, metrics and a test that exist', async t => {
  t.ok(rows.length > 15)
  for (const [attack, , settingsCell, counters, test] of rows) {
    for (const setting of codesIn(settingsCell)) t.ok(settings.includes(`\`${setting}\``), `${attack}: ${setting}`)
    for (const counter of codesIn(counters)) t.ok(counter in rules || metrics.includes(counter), `${attack}: ${counter}`)
    t.ok(hasTest(test), `${attack}: ${test}`)
  }
})
