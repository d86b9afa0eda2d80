import t from 'tap'
import { rules } from '../../broker/rules.ts'
import { fixedLimits, settingLimits, type SettingLimit } from '../../schemas/limits.ts'
import { settingsTable } from '../../schemas/settings.ts'
import { readDocs, sameLines, tableLine } from '../helpers/docs.ts'
import { readSources } from '../helpers/sources.ts'

const lines = readDocs('LIMITS.md')

/** Settings that are limits: at each of them something else happens than below it. */
const isLimit = /^(inbox|limits|track|batch|write|source)\.|^(http|outbox|access)\.max|^http\.timeoutMs$|^telemetry\.maxAgeMs$|^device\.maxQueued$/

/** Constants `max…` that bound no queue, memory or time of others: parts of a format, and pauses. */
const noLimits = ['broker/gate/framer.ts maxHeaderBytes', 'broker/gate/connect.ts maxNameBytes', 'bridge/aside.ts maxMs', 'bridge/lanes.ts maxLiveInRow', 'device/fleet/member.ts maxPhaseMs', 'device/fleet/fleet.ts maxTickMs', 'device/sampler.ts maxPhaseMs', 'device/pauses.ts maxEvictedPauses']

t.test('docs/LIMITS.md has every limit with a setting, its default, policy and figures, and no other', async t => {
  const expected = Object.entries<SettingLimit>(settingLimits).map(([name, { policy, seen }]) => {
    const setting = settingsTable[name as keyof typeof settingLimits]
    return tableLine(name, setting.text, setting.default === undefined ? 'see there' : `\`${setting.default}\``, policy, seen)
  })
  sameLines(t, 'LIMITS.md', lines.filter(line => /^\| `ISOBAR_/.test(line)), expected)
})

t.test('docs/LIMITS.md has every limit without a setting, and why it needs none, and no other', async t => {
  const expected = fixedLimits.map(({ file, constant, value, bounds, policy, seen, why }) => tableLine(`${file} ${constant}`, `${value.replaceAll('_', '')} ${bounds}`, policy, seen, why))
  sameLines(t, 'LIMITS.md', lines.filter(line => /^\| `[a-z]+\//.test(line)), expected)
})

t.test('every setting that is a limit is in the table', async t => {
  const wanted = Object.entries(settingsTable).filter(([, { path }]) => isLimit.test(path)).map(([name]) => name)
  t.same(Object.keys(settingLimits).sort(), wanted.sort())
})

t.test('every constant that is a limit is in the table, with its value', async t => {
  const found = readSources().filter(({ path }) => /^(inbox|device|broker|bridge|gateway)\//.test(path)).flatMap(({ path, source }) =>
    Array.from(source.matchAll(/^(?:export )?const (max[A-Z]\w*|capacity) = ([\d_*. ]+?)(?: \/\/.*)?$/gm), ([, constant, value]) => ({ name: `${path} ${constant}`, value })))
  t.ok(found.length > 40)
  const known = new Map(fixedLimits.map(({ file, constant, value }) => [`${file} ${constant}`, value]))
  t.same(found.filter(({ name, value }) => known.get(name) !== value && !noLimits.includes(name)), [], 'limits that the table lacks, or has with another value')
  const names = found.map(({ name }) => name)
  t.same([...known.keys(), ...noLimits].filter(name => !names.includes(name)), [], 'limits that no source has')
})

t.test('every figure that docs/LIMITS.md names is one of /metrics, with a label that it can have', async t => {
  const metrics = readSources().filter(({ path }) => /^gateway\/http\/.*metrics\.ts$/.test(path)).map(({ source }) => source).join('\n')
  const named = [...lines.join('\n').matchAll(/`(isobar_\w+)(?:\{(\w+)="(\w+)"\})?`/g)]
  t.ok(named.length > 60)
  for (const [text, name, label, value] of named) {
    const [definition] = new RegExp(`define\\.\\w+\\('${name!}'.*`).exec(metrics) ?? []
    t.ok(definition, text)
    if (label === undefined) continue
    t.match(definition, `'${label}'`, text)
    if (label === 'rule') t.ok(Object.hasOwn(rules, value!), text)
  }
})
