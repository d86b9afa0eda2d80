import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { defaultLimits, limitLabels } from '../../bridge/quality/limits.ts'
import { packageRoot } from '../../lib/package.ts'
import { flags } from '../../schemas/row.ts'

const text = readFileSync(join(packageRoot, 'docs/QUALITY.md'), 'utf8')

t.test('docs/QUALITY.md lists every flag with its bit and value, and no other', async t => {
  const listed = Array.from(text.matchAll(/^\| (\d+) \| (\d+) \| (\w+) \|/gm), ([, bit, value, name]) => [name, Number(bit), Number(value)])
  const { clockMask, ...single } = flags
  t.equal(clockMask, 3)
  t.same(listed, Object.entries(single).map(([name, value]) => [name, Math.log2(value), value]))
})

t.test('docs/QUALITY.md lists every label with its default, and no other', async t => {
  const listed = Array.from(text.matchAll(/^\| `(qc\.\w+)` \| `([^`]+)` \|/gm), ([, label, value]) => [label, value])
  t.same(listed, Object.entries(limitLabels).map(([label, name]) => {
    const limit = defaultLimits[name]
    return [label, typeof limit === 'number' ? `${limit}` : `${limit.from}..${limit.to}`]
  }))
})
