import t from 'tap'
import { telemetryRules } from '../../schemas/telemetry-decode.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { readDocs, sameLines } from '../helpers/docs.ts'
import { golden } from '../helpers/telemetry.ts'

const lines = readDocs('WIRE.md')

t.test('docs/WIRE.md has every rule of the decoder with its code, and no other', async t => {
  const firstTwoCells = lines.filter(line => line.includes('| `ISO_TELEMETRY_')).map(line => `${line.split('|').slice(0, 3).join('|')}|`)
  sameLines(t, 'WIRE.md', firstTwoCells, Object.entries(telemetryRules).map(([rule, code]) => `| ${rule} | \`${code}\` |`))
})

t.test('docs/WIRE.md shows the golden bytes', async t => {
  for (const { name, hex } of golden) t.ok(lines.includes(hex), `${name}: ${hex}`)
})

t.test('docs/WIRE.md names every topic', async t => {
  const topics = new Topics('iot/v1')
  const id = '<device>' as DeviceId
  const builders = Object.getOwnPropertyNames(Topics.prototype).filter(name => !['constructor', 'parseJournaled'].includes(name))
  const names = [...builders.map(name => (topics as unknown as Record<string, (id: DeviceId) => string>)[name]!(id)), topics.gatewayStatus]
  t.same(names.filter(name => !lines.some(line => line.startsWith(`| \`${name}\``))), [])
})
