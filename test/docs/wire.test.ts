import { TypeCompiler } from '@sinclair/typebox/compiler'
import t from 'tap'
import { decodeBirth } from '../../schemas/birth.ts'
import { letterNoticeSchema } from '../../schemas/dead-letter.ts'
import { encodeMirror } from '../../schemas/mirror.ts'
import { storedSchema } from '../../schemas/stored.ts'
import { gatewayStatusSchema } from '../../schemas/status.ts'
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
  const more: Readonly<Record<string, readonly string[]>> = { command: ['<name>', '<id>'], answer: ['<id>'] }
  const builders = Object.getOwnPropertyNames(Topics.prototype).filter(name => !['constructor', 'births'].includes(name) && !name.startsWith('parse'))
  const names = [...builders.map(name => (topics as unknown as Record<string, (id: DeviceId, ...more: readonly string[]) => string>)[name]!(id, ...more[name] ?? [])), topics.gatewayStatus]
  t.same(names.filter(name => !lines.some(line => line.startsWith(`| \`${name}\``))), [])
})

t.test('the JSON of docs/WIRE.md is what the code writes and takes', async t => {
  const jsonUnder = (heading: string): string => /```json\n([^]*?)\n```/.exec(lines.slice(lines.indexOf(`## ${heading}`)).join('\n'))![1]!
  t.match(decodeBirth(Buffer.from(jsonUnder('Birth'))), { ok: true }, 'the birth')
  t.equal(jsonUnder('Mirror'), encodeMirror('bench-1' as DeviceId, golden[0]!.telemetry), 'the mirror of the golden bytes')
  t.same([...TypeCompiler.Compile(gatewayStatusSchema).Errors(JSON.parse(jsonUnder('Status')))], [], 'the status')
  t.same([...TypeCompiler.Compile(storedSchema).Errors(JSON.parse(jsonUnder('Stored')))], [], 'the stored ranges')
  t.same([...TypeCompiler.Compile(letterNoticeSchema).Errors(JSON.parse(jsonUnder('Error')))], [], 'the error')
})
