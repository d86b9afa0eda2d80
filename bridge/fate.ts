import { type BridgeCause } from '../schemas/thread.ts'
import { type ErrorCode } from '../lib/errors.ts'

/**
 * What became of a row that was sent. `stored`, `duplicate` (another delivery brought it before) and `dead` are ends.
 * `held` is none: the row has to be sent again, as its table or its proof is missing.
 */
export type Fate =
  | { readonly kind: 'stored' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'dead', readonly code: ErrorCode, readonly reason: string }
  | { readonly kind: 'held', readonly cause: BridgeCause }

export const stored: Fate = { kind: 'stored' }
export const duplicate: Fate = { kind: 'duplicate' }
