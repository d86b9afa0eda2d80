import { rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../lib/package.ts'
import { seededRandom } from '../../lib/random.ts'
import { breaks, openBroken } from './breaks.ts'
import { faults } from './faults.ts'
import { runRound, type Plan, type RoundResult } from './round.ts'
import { Site } from './site.ts'

// npm run test:integrity -- --minutes 20 --seed 1
// Rounds of load with faults drawn from the seed; after each one an oracle that wrote down every PUBACK by itself asks the database, row by row.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    break: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})
if (values.help || (values.break !== undefined && !Object.hasOwn(breaks, values.break))) {
  process.stdout.write(`npm run test:integrity -- [--minutes N | --rounds N] [--seed S] [--break NAME]

  --minutes N   rounds begin for so long (5)
  --rounds N    so many rounds
  --seed S      decides load and faults (1); the same seed draws the same
  --break NAME  break a promise in a copy of dist/, and see that the suite finds it:
                ${Object.keys(breaks).join(', ')}

Exit codes: 0 no promise was broken (with --break: it was found), 1 the other, 2 wrong usage.
`)
  process.exit(values.help ? 0 : 2)
}

const seed = Number(values.seed)
const random = seededRandom(seed)
const minutes = Number(values.minutes)
let deck: string[] = []
const say = (line: string): void => { process.stdout.write(`${line}\n`) }
const startedMs = performance.now()
const elapsedS = (): number => (performance.now() - startedMs) / 1000

const root = values.break === undefined ? packageRoot : await openBroken(values.break)
const site = await Site.open(root)
const left = site.disk === null ? ['a full disk'] : []
say(`integrity: seed ${seed}, ${values.rounds === undefined ? `${minutes} minutes` : `${values.rounds} rounds`}${values.break === undefined ? '' : `, with a broken promise: ${values.break}`}, ${Object.keys(faults).length - left.length} kinds of faults, files in ${site.dir}`)
for (const name of left) say(`left out: ${name}: no small disk can be mounted here`)

const sums = { rounds: 0, faults: 0, messages: 0, readings: 0, duplicates: 0, dead: 0, watched: 0, reconnects: 0 }
const made = new Map<string, number>()
let findings: readonly string[] = []
let hasFailed = false
try {
  while (findings.length === 0 && mayBegin()) await play(drawPlan(sums.rounds + 1))
} catch (error) {
  hasFailed = true
  findings = [`the suite itself failed: ${error instanceof Error ? error.stack : String(error)}`]
}
report()
const wished = !hasFailed && (findings.length > 0) === (values.break !== undefined)
await site.close({ keep: !wished })
if (root !== packageRoot) await rm(root, { recursive: true, force: true })
process.exit(wished ? 0 : 1)

function mayBegin (): boolean {
  return values.rounds === undefined ? elapsedS() < minutes * 60 : sums.rounds < Number(values.rounds)
}

async function play (plan: Plan): Promise<void> {
  const result = await runRound(site, plan)
  findings = result.findings
  count(plan, result)
  say(`round ${plan.number}, ${Math.round(elapsedS())} s: ${plan.gateways} gateway${plan.gateways === 1 ? '' : 's'}${plan.bridged ? ` and a bridge behind ${site.broker.name}` : ''}, ${plan.devices} devices${plan.bridged ? ' each' : ''}, ${result.messages} messages, ${result.readings} readings, ${result.duplicates} duplicate, ${result.dead} dead, ${result.reconnects} reconnects, settled after ${(result.settledMs / 1000).toFixed(1)} s: ${plan.faults.map(({ name }) => name).join('; ')}`)
}

function report (): void {
  for (const finding of findings) say(`BROKEN: ${finding}`)
  say(`${sums.rounds} rounds in ${Math.round(elapsedS())} s: ${sums.faults} faults, ${sums.messages} messages, ${sums.readings} readings acknowledged, ${sums.duplicates} duplicate, ${sums.dead} dead, ${sums.reconnects} reconnects, ${sums.watched} messages at subscribers`)
  say(`faults: ${[...made].sort(([a], [b]) => a < b ? -1 : 1).map(([name, times]) => `${name} ${times}`).join(', ')}`)
  const found = findings.length > 0
  if (hasFailed) return say('the suite itself has failed, and has found nothing')
  if (values.break !== undefined) say(found ? `${values.break} was found after ${Math.round(elapsedS())} s` : `${values.break} was NOT found`)
  else say(found ? `a promise is broken; the files are in ${site.dir}` : 'no promise is broken: 0 lost, 0 twice, 0 books off, 0 dead without a cause, 0 missed by subscribers')
}

function drawPlan (number: number): Plan {
  const kinds = 3 + Math.floor(random() * 3)
  const loadMs = 4_000 + random() * 5_000
  const drawn = Array.from({ length: kinds }, () => ({ name: deal(), atMs: random() * loadMs * 0.8 }))
  return {
    number,
    seed: Math.floor(random() * 2 ** 31),
    faults: drawn,
    loadMs,
    devices: 4 + Math.floor(random() * 28),
    messagesPerSecond: 200 + Math.floor(random() * 1_800),
    gateways: random() < 0.3 ? 1 : 2,
    bridged: drawn.some(({ name }) => faults[name]!.owns === 'bridge')
  }
}

/** From a shuffled deck, so that each kind comes before any comes twice. */
function deal (): string {
  if (deck.length === 0) {
    deck = Object.keys(faults).filter(name => !left.includes(name))
    for (let n = deck.length - 1; n > 0; n--) {
      const other = Math.floor(random() * (n + 1))
      ;[deck[n], deck[other]] = [deck[other]!, deck[n]!]
    }
  }
  return deck.pop()!
}

function count ({ faults }: Plan, { messages, readings, duplicates, dead, watched, reconnects }: RoundResult): void {
  sums.rounds++
  sums.faults += faults.length
  sums.messages += messages
  sums.readings += readings
  sums.duplicates += duplicates
  sums.dead += dead
  sums.watched = watched
  sums.reconnects += reconnects
  for (const { name } of faults) made.set(name, (made.get(name) ?? 0) + 1)
}
