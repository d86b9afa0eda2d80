import { type Clock } from '../lib/clock.ts'

/** How far long work has come, on stderr. */
export interface Progress {
  /** So much of it is done. */
  show (done: number): void
  /** Takes the line away. */
  close (): void
}

/** Where no terminal shows it in place, a line so often. */
const lineEveryMs = 10_000
/** Work that ends sooner is not worth a line. */
const quietMs = 1_000

/**
 * Shows `1200 of 5000 dead letters replayed, 40 s to go`: on a terminal in place, else as a line every ten seconds.
 * @param what is counted, with what is done to it
 */
export function createProgress (total: number, what: string, clock: Pick<Clock, 'monotonicMs'>, out: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stderr): Progress {
  const startedMs = clock.monotonicMs()
  const inPlace = out.isTTY === true
  let dueMs = startedMs + (inPlace ? quietMs : lineEveryMs)
  let shown = false
  return {
    show: done => {
      const nowMs = clock.monotonicMs()
      if (nowMs < dueMs) return
      if (!inPlace) dueMs = nowMs + lineEveryMs
      const leftS = done === 0 ? null : Math.ceil((total - done) / done * (nowMs - startedMs) / 1000)
      const text = `${done} of ${total} ${what}${leftS === null || leftS <= 0 ? '' : `, ${leftS} s to go`}`
      out.write(inPlace ? `\r\u001b[K${text}` : `${text}\n`)
      shown = inPlace
    },
    close: () => { if (shown) out.write('\r\u001b[K') }
  }
}
