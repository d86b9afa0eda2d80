/** Why the inbox takes nothing in at the moment. */
export interface InboxFull {
  readonly cause: 'bytes' | 'age' | 'disk'
  /** For a person: figures and the setting behind them. */
  readonly detail: string
}

export interface FullLimits {
  readonly maxBytes: number
  readonly maxAgeMs: number
  readonly reserveBytes: number
  /** Room that a few commits take. */
  readonly marginBytes: number
}

/** How things stand. */
export interface Levels {
  /** Bytes of the groups with unsettled deliveries. */
  readonly bytes: number
  /** Age of the oldest unsettled delivery. */
  readonly ageMs: number
  /** Free bytes of the disk. */
  readonly freeBytes: number
  /** Bytes of the inbox's file that are used again before it grows. */
  readonly reusableBytes: number
  /** What keeps the disk from taking commits, null when they succeed. */
  readonly fault: string | null
}

const resumeAt = 0.9
const defaultMaxBytes = 2e9
const shareOfDisk = 0.8
const leastMaxBytes = 64e3

/** Most bytes of an inbox: what is given, else 2 GB, or 80 % of what it can have of the disk if that is less. @param diskBytes free, and what its file has already */
export function maxBytesOf (given: number | undefined, diskBytes: number): number {
  return given ?? Math.max(leastMaxBytes, Math.min(defaultMaxBytes, Math.floor(shareOfDisk * diskBytes)))
}

/**
 * Whether the inbox is full. What made it full has to fall clearly below its limit before it is not, so that it does not flutter.
 * @param was what this said last
 */
export function fullOf (levels: Levels, limits: FullLimits, was: InboxFull | null): InboxFull | null {
  const { bytes, ageMs, freeBytes, fault } = levels
  if (fault !== null) return { cause: 'disk', detail: fault }
  if (roomBytes(levels, limits) < limits.marginBytes * (was?.cause === 'disk' ? 2 : 1)) {
    return { cause: 'disk', detail: `${freeBytes} bytes are free on the disk, ISOBAR_INBOX_RESERVE keeps ${limits.reserveBytes}` }
  }
  if (bytes >= limits.maxBytes * (was?.cause === 'bytes' ? resumeAt : 1)) {
    return { cause: 'bytes', detail: `${bytes} bytes are not settled, ISOBAR_INBOX_MAX_BYTES allows ${limits.maxBytes}` }
  }
  if (ageMs >= limits.maxAgeMs * (was?.cause === 'age' ? resumeAt : 1)) {
    return { cause: 'age', detail: `the oldest delivery has waited for ${Math.round(ageMs / 1000)} s, ISOBAR_INBOX_MAX_AGE allows ${Math.round(limits.maxAgeMs / 1000)}` }
  }
  return null
}

/** Bytes that can be written without touching the reserve. The file's own free pages count: an inbox that was long and is drained would else wait for ever. */
export function roomBytes ({ freeBytes, reusableBytes }: Pick<Levels, 'freeBytes' | 'reusableBytes'>, { reserveBytes }: FullLimits): number {
  return Math.max(0, freeBytes - reserveBytes) + reusableBytes
}
