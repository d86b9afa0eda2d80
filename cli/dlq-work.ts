import { realClock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import type { LetterFilter, LetterWorkAnswer } from '../schemas/dead-letter.ts'
import { loadSettings } from '../schemas/settings.ts'
import { printLines } from './output.ts'
import { createProgress } from './progress.ts'

export type LetterJob = 'replay' | 'drop'

export interface WorkPresentation {
  readonly dryRun?: true
  readonly json?: true
}

type Counts = Omit<LetterWorkAnswer, 'next'>

const words = { replay: { did: 'replayed', would: 'would be replayed' }, drop: { did: 'dropped', would: 'would be dropped' } } as const

/**
 * Has the running gateway replay or drop the open letters that are meant, page by page, with its progress on stderr, and prints what it came to.
 * @throws IsobarError ISO_CLI_USAGE when nothing says which, ISO_REPLAY_DEAD when some are dead again, and what the gateway answers
 */
export async function workOnLetters (job: LetterJob, filter: LetterFilter, { dryRun, json }: WorkPresentation): Promise<void> {
  if (Object.values(filter).every(value => value === undefined)) throw new IsobarError('ISO_CLI_USAGE', { detail: `say which: ids, --device, --code or --since; or --all for every open dead letter (isobar dlq ${job} --help)` })
  const { createGatewayApi } = await import('./http-client.ts') // here, so that --help does not load it
  const { letterWorkAnswer } = await import('../schemas/dead-letter.ts')
  const api = createGatewayApi(loadSettings())
  const ask = async (more: object): Promise<LetterWorkAnswer> => await api.post(`/api/v1/dead-letters/${job}`, letterWorkAnswer, { ...filter, ...more })

  const { next: _, ...matching } = await ask({ dryRun: true })
  if (dryRun === true || matching.letters === 0) return await print(job, matching, { dryRun: true, json })
  const progress = createProgress(matching.letters, `dead letters ${words[job].did}`, realClock)
  const counts: Counts = { letters: 0, readings: 0, done: 0, deadAgain: 0, underWay: 0, passedOver: 0 }
  for (let after: string | null | undefined; after !== null;) {
    const { next, ...page } = await ask({ after })
    for (const name of Object.keys(counts) as Array<keyof Counts>) counts[name] += page[name]
    after = next
    progress.show(counts.letters)
  }
  progress.close()
  await print(job, counts, { json })
  if (counts.deadAgain > 0) throw new IsobarError('ISO_REPLAY_DEAD', { detail: `${counts.deadAgain} of ${counts.letters}` })
}

async function print (job: LetterJob, counts: Counts, { dryRun, json }: WorkPresentation): Promise<void> {
  await printLines(json === true ? [JSON.stringify(counts)] : sentences(job, counts, dryRun === true))
}

/** What was done, or would be, for a person. */
export function sentences (job: LetterJob, { letters, readings, done, deadAgain, underWay, passedOver }: Counts, dryRun: boolean): readonly string[] {
  if (letters === 0) return ['No open dead letter matches.']
  if (dryRun) return [`${counted(letters)} with ${readings} ${readings === 1 ? 'reading' : 'readings'} ${words[job].would}.`]
  return [
    `${counted(done)} ${words[job].did}.`,
    ...(deadAgain === 0 ? [] : [`${counted(deadAgain)} ${deadAgain === 1 ? 'is' : 'are'} dead again: see the new reason in 'isobar dlq list'.`]),
    ...(underWay === 0 ? [] : [`${counted(underWay)} ${underWay === 1 ? 'is' : 'are'} still under way through the gateway; that goes on by itself.`]),
    ...(passedOver === 0 ? [] : [`${counted(passedOver)} ${passedOver === 1 ? 'was' : 'were'} passed over: births and states, which are out of date ('isobar dlq drop'), or another topic root.`])
  ]
}

function counted (letters: number): string {
  return `${letters} dead ${letters === 1 ? 'letter' : 'letters'}`
}
