import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Bench, type Figures } from './figures.ts'
import { access } from './benches/access.ts'
import { attack } from './benches/attack.ts'
import { ceiling } from './benches/ceiling.ts'
import { decode } from './benches/decode.ts'
import { device } from './benches/device.ts'
import { endToEnd } from './benches/end-to-end.ts'
import { fastLane } from './benches/fast-lane.ts'
import { flat } from './benches/flat.ts'
import { latency } from './benches/latency.ts'
import { outage } from './benches/outage.ts'
import { puback } from './benches/puback.ts'
import { reconnect } from './benches/reconnect.ts'
import { soak } from './benches/soak.ts'
import { startup } from './benches/startup.ts'
import { writer } from './benches/writer.ts'
import { circumstances, resultFile } from './results.ts'

const benches: readonly Bench[] = [decode, puback, ceiling, endToEnd, latency, outage, writer, access, attack, device, fastLane, reconnect, startup, flat, soak]
const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '10000' },
    attack: { type: 'string', default: '' },
    help: { type: 'boolean', default: false }
  }
})
const options = { minutes: Number(values.minutes), messagesPerSecond: Number(values.rate), attackPart: values.attack }
const isWrong = names.some(name => !benches.some(bench => bench.name === name)) || !(options.minutes > 0 && options.messagesPerSecond > 0)

if (isWrong || values.help) {
  process.stdout.write(`npm run bench -- [name …] [--minutes N] [--rate N] [--attack TEXT]\n\n${benches.map(({ name, about, onlyByName }) => `  ${name.padEnd(12)} ${about}${onlyByName === true ? '; only when it is named' : ''}`).join('\n')}

  --minutes N  how long a soak takes (60)
  --rate N     messages a second of a soak (10000)
  --attack T   only the attacks with T in their names
`)
  process.exit(isWrong ? 2 : 0)
}

const began = circumstances() // the commit that is measured; the folder may have another one at the end
const results: Record<string, Figures> = {}
for (const bench of benches.filter(({ name, onlyByName }) => names.length === 0 ? onlyByName !== true : names.includes(name))) {
  process.stdout.write(`\n${bench.name}: ${bench.about}\n`)
  results[bench.name] = await bench.run(results, options)
  for (const [figure, value] of Object.entries(results[bench.name]!)) process.stdout.write(`  ${figure.padEnd(52)} ${show(value)}\n`)
}
await writeResults()

async function writeResults (): Promise<void> {
  const file = resultFile('.json')
  await writeFile(file, `${JSON.stringify({ ...began, results }, null, 2)}\n`)
  process.stdout.write(`\n${file}\n`)
}

function show (value: number | string): string {
  if (typeof value === 'string') return value
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
