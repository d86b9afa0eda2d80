import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { packageRoot, version } from '../lib/package.ts'
import { type Bench, type Figures } from './figures.ts'
import { ceiling } from './benches/ceiling.ts'
import { decode } from './benches/decode.ts'
import { endToEnd } from './benches/end-to-end.ts'
import { flat } from './benches/flat.ts'
import { latency } from './benches/latency.ts'
import { outage } from './benches/outage.ts'
import { puback } from './benches/puback.ts'
import { startup } from './benches/startup.ts'
import { writer } from './benches/writer.ts'

const benches: readonly Bench[] = [decode, puback, ceiling, endToEnd, latency, outage, writer, startup, flat]
const names = process.argv.slice(2)
const unknown = names.find(name => !benches.some(bench => bench.name === name))

if (unknown !== undefined || names.includes('--help')) {
  process.stdout.write(`npm run bench -- [name …]\n\n${benches.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join('\n')}\n`)
  process.exit(unknown === undefined ? 0 : 2)
}

const results: Record<string, Figures> = {}
for (const bench of benches.filter(({ name }) => names.length === 0 || names.includes(name))) {
  process.stdout.write(`\n${bench.name}: ${bench.about}\n`)
  results[bench.name] = await bench.run(results)
  for (const [figure, value] of Object.entries(results[bench.name]!)) process.stdout.write(`  ${figure.padEnd(52)} ${show(value)}\n`)
}
await writeResults()

async function writeResults (): Promise<void> {
  const at = new Date().toISOString()
  const dir = join(packageRoot, 'bench', 'results')
  const file = join(dir, `${at.slice(0, 19).replaceAll(/[:T]/g, '-')}.json`)
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: packageRoot, encoding: 'utf8' }).trim()
  const commit = `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' and changes'}`
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memoryGB: Math.round(totalmem() / 1e9), platform: `${process.platform} ${process.arch}` }
  await mkdir(dir, { recursive: true })
  await writeFile(file, `${JSON.stringify({ at, commit, versions: { isobar: version, node: process.version }, machine, results }, null, 2)}\n`)
  process.stdout.write(`\n${file}\n`)
}

function show (value: number | string): string {
  if (typeof value === 'string') return value
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
