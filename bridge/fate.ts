import { type BridgeCause } from '../schemas/thread.ts'
import { type ErrorCode } from '../lib/errors.ts'

/** The inbox entry that brought a row of the table. */
export interface Origin {
  readonly gateway: string
  readonly delivery: number
}

/** How a row ended: `duplicate` means that another delivery brought it before; its `origin`, as far as it is known. */
export type End =
  | { readonly kind: 'stored' }
  | { readonly kind: 'duplicate', readonly origin?: Origin }
  | { readonly kind: 'dead', readonly code: ErrorCode, readonly reason: string }

/**
 * What became of a row that was sent: its end, or none yet. `held`: it has to be sent again after a while, as its table or its proof is missing.
 * `doubted`: a statement that carried many rows was refused, and it is not known for the sake of which; it has to be looked into.
 */
export type Fate = End
  | { readonly kind: 'held', readonly cause: BridgeCause }
  | { readonly kind: 'doubted' }

export const stored: End = { kind: 'stored' }
export const duplicate: End = { kind: 'duplicate' }
export const doubted: Fate = { kind: 'doubted' }

/** Whether a fate is an end. */
export function isEnd (fate: Fate): fate is End {
  return fate.kind !== 'held' && fate.kind !== 'doubted'
}
