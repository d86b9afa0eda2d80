import t from 'tap'
import { type Setting } from '../../lib/config.ts'
import { settingsTable } from '../../schemas/settings.ts'
import { readDocs, sameLines, tableLine } from '../helpers/docs.ts'
import { readSources } from '../helpers/sources.ts'

const settings: ReadonlyArray<[string, Setting]> = Object.entries(settingsTable)

/** Their defaults are made from the name of the machine. */
const fromHostName = ['ISOBAR_GATEWAY', 'ISOBAR_DEVICE_ID']

function lineOf ([name, setting]: [string, Setting]): string {
  const fallback = fromHostName.includes(name) ? 'the host name' : setting.default === undefined || setting.default === '' ? 'not set' : `\`${setting.default}\``
  return tableLine(name, fallback, setting.type, setting.text)
}

t.test('docs/CONFIG.md has every setting with its default, kind and text, and no other', async t => {
  sameLines(t, 'CONFIG.md', readDocs('CONFIG.md').filter(line => /^\| `[A-Z]/.test(line)), settings.map(lineOf))
})

t.test('every setting has a place of its own among the values', async t => {
  const paths = settings.map(([, { path }]) => path)
  t.same(paths.filter((path, index) => paths.indexOf(path) !== index || paths.some(other => other.startsWith(`${path}.`))), [])
})

t.test('every setting is read by a source', async t => {
  const sources = readSources().filter(({ path }) => path !== 'schemas/settings.ts').map(({ source }) => source)
  const isRead = ([, { path }]: [string, Setting]): boolean => sources.some(source => new RegExp(`\\b${path.split('.').at(-1)!}\\b`).test(source))
  t.same(settings.filter(setting => !isRead(setting)).map(([name]) => name), [], 'settings that no source reads')
})

t.test('every default passes the check of its own setting', async t => {
  for (const [name, { default: fallback, parse }] of settings) if (fallback !== undefined) t.doesNotThrow(() => parse(fallback), name)
})
