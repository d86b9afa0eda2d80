import { mkdir } from 'node:fs/promises'
import { every, type Clock } from '../../lib/clock.ts'
import { codeOf, IsobarError } from '../../lib/errors.ts'
import { Closers } from '../../lib/lifecycle.ts'
import { openLock } from '../../lib/lock.ts'
import { type Logger } from '../../lib/log.ts'
import { Journal } from './journal.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'

/** How often is looked whether something must go to the log. */
const lookMs = 1_000

export interface OutboxFolder {
  readonly dir: string
  /** From one commit to the next. */
  readonly commitMs: number
  readonly maxBytes: number
  readonly maxReadings: number
  readonly keepUntil: 'acknowledged' | 'stored'
}

export interface OpenOutbox {
  readonly outbox: Outbox
  /** Places of the log that could not be read as what they were written, and ends that were left half written. */
  readonly damaged: number
  readonly torn: number
  /** Epoch ms of the newest reading that was found with a time that is right; -Infinity when there was none. */
  readonly newestTs: number
  /** Resolves after `close`; rejects for a bug only. */
  readonly done: Promise<void>
  /** Writes all that is not acknowledged, and ends. Rejects when the disk does not take it. */
  close (): Promise<void>
}

export type OpenOutboxOptions = Pick<OutboxOptions, 'batch' | 'maxReadings'> & { readonly machineBoot: string, readonly clock: Clock, readonly log: Logger }

/**
 * Opens the outbox of a device. With a folder it is on disk too: read at the start, written to when readings are not acknowledged.
 * @throws IsobarError ISO_OUTBOX_LOCKED, ISO_OUTBOX_UNUSABLE, ISO_OUTBOX_FORMAT
 */
export async function openOutbox (folder: OutboxFolder | null, options: OpenOutboxOptions): Promise<OpenOutbox> {
  const { batch, maxReadings, machineBoot, clock, log } = options
  if (folder === null) return { outbox: new Outbox({ batch, maxReadings, clock }), damaged: 0, torn: 0, newestTs: -Infinity, done: Promise.resolve(), close: async () => {} }
  const closers = new Closers()
  try {
    closers.add(await lockFolder(folder.dir))
    const { journal, entries } = await Journal.open({ ...folder, machineBoot })
    closers.add(journal)
    if (journal.damaged + journal.torn > 0) log.warn({ damaged: journal.damaged, torn: journal.torn }, 'the log of the outbox was not whole; what is whole is kept')
    const outbox = new Outbox({ batch, maxReadings, commitMs: folder.commitMs, keepUntil: folder.keepUntil, log: { journal, entries }, clock })
    const stop = new AbortController()
    const done = every(lookMs, clock, stop.signal, committing(outbox, log))
    return {
      outbox,
      done,
      newestTs: entries.reduce((newest, { clock, lastTs, shiftMs }) => clock === 2 ? newest : Math.max(newest, lastTs + shiftMs), -Infinity),
      get damaged () { return journal.damaged },
      get torn () { return journal.torn },
      close: async () => {
        stop.abort()
        try {
          await done
          await outbox.commit({ all: true })
        } finally {
          await closers.close()
        }
      }
    }
  } catch (error) {
    await closers.close()
    throw error
  }
}

async function lockFolder (dir: string): ReturnType<typeof openLock> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    return await openLock(dir)
  } catch (cause) {
    throw new IsobarError(codeOf(cause) === 'ISO_DATA_LOCKED' ? 'ISO_OUTBOX_LOCKED' : 'ISO_OUTBOX_UNUSABLE', { detail: (cause as IsobarError).detail ?? `${dir} (${(cause as Error).message})`, cause })
  }
}

/** Commits when it is time to. A disk that fails is no reason to end: the readings stay in RAM, and the next commit tries again. */
function committing (outbox: Outbox, log: Logger): () => Promise<void> {
  let failure = ''
  return async () => {
    outbox.remind()
    if (!outbox.isCommitDue) return
    try {
      await outbox.commit()
      if (failure !== '') log.info('the log of the outbox can be written again')
      failure = ''
    } catch (err) {
      const code = codeOf(err) || String(err)
      if (code !== failure) log.error({ err, inRam: outbox.inRam }, 'the log of the outbox cannot be written; readings that are not acknowledged stay in RAM')
      failure = code
    }
  }
}
