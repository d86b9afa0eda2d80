import { seededRandom } from '../../lib/random.ts'

/** What a simulated device may suffer. */
export const faultKinds = ['outages', 'drops', 'duplicates', 'clock', 'sensor'] as const
export type FaultKind = typeof faultKinds[number]

/** What a fleet has suffered so far. */
export interface FaultCounts {
  /** The device was without a network for a while. */
  readonly outages: number
  /** Its connection was cut, and made again. */
  readonly drops: number
  /** Readings that were sent again because their PUBACK did not arrive. */
  readonly repeated: number
  /** The device started anew, with a clock that was hours behind. */
  readonly restarts: number
  /** Its clock was set wrong, or set right. */
  readonly steps: number
  /** Readings of a sensor that did not answer. */
  readonly withoutValues: number
  /** Readings of a sensor that stood still, or said what can't be. */
  readonly implausible: number
}

export const noFaults: FaultCounts = Object.freeze({ outages: 0, drops: 0, repeated: 0, restarts: 0, steps: 0, withoutValues: 0, implausible: 0 })

export interface FaultPlan {
  readonly kinds: readonly FaultKind[]
  /** Readings of a device from one fault of a kind to the next, on average. */
  readonly every: number
}

/** The chances of one fault kind of one device. */
export interface Dice {
  /** Whether it begins now; asked once a reading, or once a message. */
  hits (): boolean
  /** A whole number from `least` to `most`. */
  between (least: number, most: number): number
}

/** Each kind has chances of its own, so that one does not move the others: the same seed has the same faults at the same readings. */
export function createDice (kind: FaultKind, { kinds, every }: FaultPlan, seed: number): Dice {
  const random = seededRandom(seed ^ Math.imul(faultKinds.indexOf(kind) + 1, 0x85ebca6b))
  const chance = kinds.includes(kind) ? 1 / every : 0
  return {
    hits: () => random() < chance,
    between: (least, most) => least + Math.floor(random() * (most - least + 1))
  }
}
