import t from 'tap'
import { catalogue } from '../../lib/errors.ts'
import { readDocs, sameLines, tableLine } from '../helpers/docs.ts'
import { readSources } from '../helpers/sources.ts'

const elsewhere = readSources().filter(({ path }) => path !== 'lib/errors.ts')

t.test('docs/ERRORS.md has every code of the catalogue as it stands there, and no other', async t => {
  const lines = readDocs('ERRORS.md').filter(line => line.startsWith('| `ISO_'))
  sameLines(t, 'ERRORS.md', lines, Object.entries(catalogue).map(([code, { message, retriable, operator }]) => tableLine(code, message, retriable ? 'yes' : 'no', operator)))
})

t.test('every code is used by a source', async t => {
  t.same(Object.keys(catalogue).filter(code => !elsewhere.some(({ source }) => source.includes(`'${code}'`))), [], 'codes that no source names')
})

t.test('every code that a source names is in the catalogue', async t => {
  const named = elsewhere.flatMap(({ path, source }) => (source.match(/'ISO_[A-Z_]+'/g) ?? []).map(code => `${code.slice(1, -1)} in ${path}`))
  t.same(named.filter(name => !Object.hasOwn(catalogue, name.split(' ')[0]!)), [])
})

t.test('every code is written once in the catalogue', async t => {
  const written = readSources().find(({ path }) => path === 'lib/errors.ts')!.source.match(/^ {2}ISO_\w+/gm)!.map(code => code.trim())
  t.same(written, Object.keys(catalogue))
})

t.test('every message goes on after a colon, so it starts small and has no full stop; what to do is a sentence', async t => {
  for (const [code, { message, operator }] of Object.entries(catalogue)) {
    t.match(message, /^(?:[^A-Z\s]|[A-Z]{2}).*[^.]$/, `message of ${code}`)
    t.match(operator, /^[A-Z`].{15,}\.$/, `operator of ${code}`)
  }
})
