import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** What tells times of one run of the machine from those of another. */
export interface Machine {
  /** Of the run since power-up, 16 bytes in hex. */
  readonly boot: string
  /** The machine's own monotonic time when that of this process was 0, in ms. */
  readonly monotonicBaseMs: number
}

/** This machine. Where it has no id of its run (no Linux), this process is a run of its own. */
export function thisMachine (file = '/proc/sys/kernel/random/boot_id'): Machine {
  const monotonicBaseMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  try {
    return { boot: createHash('md5').update(readFileSync(file, 'utf8').trim()).digest('hex'), monotonicBaseMs }
  } catch {
    return { boot: randomBytes(16).toString('hex'), monotonicBaseMs }
  }
}
