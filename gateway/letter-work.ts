import { type Letters } from '../bridge/letters.ts'
import { IsobarError } from '../lib/errors.ts'
import { type LetterFilter, type LetterWorkAnswer, type LetterWorkRequest } from '../schemas/dead-letter.ts'
import { type Replays } from './replays.ts'

export interface LetterWorkParts {
  /** Lets a function work with the table, in the database of now. */
  readonly letters: <T>(use: (letters: Letters) => Promise<T>) => Promise<T>
  readonly replays: Pick<Replays, 'replay' | 'underWay'>
  /** Longest wait for the ends of a page of replays. */
  readonly waitMs?: number
}

const defaultLimit = 200

/**
 * Replays and drops open dead letters page by page: whoever asks goes on with `next` until it is null. Pages are done one after the other, whoever asks
 * for them, so that no letter is replayed and dropped at the same time, nor replayed twice.
 */
export class LetterWork {
  readonly #parts: LetterWorkParts
  #last: Promise<unknown> = Promise.resolve()

  constructor (parts: LetterWorkParts) {
    this.#parts = parts
  }

  /** @throws IsobarError ISO_LETTER_FILTER, ISO_LETTER_UNKNOWN, ISO_REPLAY_FULL, or what the database says */
  async replay (request: LetterWorkRequest): Promise<LetterWorkAnswer> {
    const { replays, waitMs = 10_000 } = this.#parts
    return await this.#inTurn(request, async (letters, filter) => {
      const before = replays.underWay() // also one that ends while the page is read, which may still show it as open
      const page = await pageOf(letters, filter, request)
      const fresh = page.letters.filter(({ id }) => !before.has(id))
      const { underWay, ...ends } = await replays.replay(fresh, waitMs)
      return { ...page.counts, ...ends, underWay: underWay + page.letters.length - fresh.length }
    })
  }

  /** @throws IsobarError ISO_LETTER_FILTER, ISO_LETTER_UNKNOWN, or what the database says */
  async drop (request: LetterWorkRequest): Promise<LetterWorkAnswer> {
    return await this.#inTurn(request, async (letters, filter) => {
      const underWay = this.#parts.replays.underWay()
      const page = await pageOf(letters, filter, request)
      const ids = page.letters.map(({ id }) => id).filter(id => !underWay.has(id))
      const done = ids.length === 0 ? 0 : await letters.drop(ids)
      return { ...page.counts, done, deadAgain: 0, underWay: page.letters.length - ids.length, passedOver: 0 }
    })
  }

  async #inTurn (request: LetterWorkRequest, work: (letters: Letters, filter: LetterFilter) => Promise<LetterWorkAnswer>): Promise<LetterWorkAnswer> {
    const { ids, devices, codes, since, all } = request
    if (all !== true && ids === undefined && devices === undefined && codes === undefined && since === undefined) throw new IsobarError('ISO_LETTER_FILTER')
    const working = this.#last.then(async () => await this.#parts.letters(async letters => {
      if (request.after === undefined) await letters.refresh()
      const filter = { devices, codes, since, ids: ids === undefined ? undefined : await letters.resolve(ids) }
      return request.dryRun === true ? await dryRun(letters, filter) : await work(letters, filter)
    }))
    this.#last = working.catch(() => {}) // whoever asked is told
    return await working
  }
}

interface Page {
  readonly letters: Awaited<ReturnType<Letters['page']>>
  readonly counts: Pick<LetterWorkAnswer, 'letters' | 'readings' | 'next'>
}

async function pageOf (letters: Letters, filter: LetterFilter, { after, limit = defaultLimit }: LetterWorkRequest): Promise<Page> {
  const page = await letters.page(filter, after, limit)
  const readings = page.reduce((sum, letter) => sum + letter.readings, 0)
  return { letters: page, counts: { letters: page.length, readings, next: page.length < limit ? null : page.at(-1)!.id } }
}

async function dryRun (letters: Letters, filter: LetterFilter): Promise<LetterWorkAnswer> {
  return { ...await letters.count(filter, ['open']), done: 0, deadAgain: 0, underWay: 0, passedOver: 0, next: null }
}
