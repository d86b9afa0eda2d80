import { type Clock } from '../lib/clock.ts'
import { PerMinute } from '../lib/per-minute.ts'
import { maxNoticeRanges, maxNoticeReason, type LetterNotice } from '../schemas/dead-letter.ts'
import { type LetterNotices } from '../schemas/thread.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { letterId } from './dead-letters.ts'
import { type Letter } from './settle.ts'

export interface NoticesParts {
  /** Messages to one device a minute. */
  readonly maxPerMinute: number
  readonly post: (notices: LetterNotices) => void
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly counters: { noticesTold: number, noticesOmitted: number }
}

/** Devices that are told by a count of their own. */
const maxDevices = 10_000

/** Tells senders what of theirs became a dead letter: a few messages a device and minute, however many letters there are; what is left out is counted. */
export class Notices {
  readonly #parts: NoticesParts
  readonly #counts: PerMinute

  constructor (parts: NoticesParts) {
    this.#parts = parts
    this.#counts = new PerMinute({ max: parts.maxPerMinute, maxKeys: maxDevices }, parts.clock)
  }

  /** @param letters that are in the table. Replays are passed over: no device has sent them now. */
  tell (letters: readonly Letter[]): void {
    const { post, clock, counters } = this.#parts
    const devices: DeviceId[] = []
    const payloads: string[] = []
    for (const letter of letters) {
      const { deviceId, replayOf } = letter.delivery
      if (replayOf !== null) continue
      if (!this.#counts.take(deviceId)) {
        counters.noticesOmitted++
        continue
      }
      devices.push(deviceId)
      payloads.push(JSON.stringify(noticeOf(letter, clock.now())))
    }
    counters.noticesTold += devices.length
    if (devices.length > 0) post({ devices, payloads })
  }
}

/** The message about one letter. All ranges of a delivery are of one boot. */
export function noticeOf ({ delivery, rejection: { code, reason, seqs } }: Letter, at: number): LetterNotice {
  const notice: LetterNotice = { code, reason: reason.slice(0, maxNoticeReason), at, id: letterId(delivery) }
  const [first] = seqs
  if (first === undefined) return notice
  return { ...notice, boot: first[0], seqs: seqs.slice(0, maxNoticeRanges).map(([, from, to]) => [from, to]) }
}
