/**
 * The one catalogue of errors. A code is `ISO_<PART>_<WHAT>`; docs/ERRORS.md lists each, and a test compares the two.
 * `retriable`: the same call may succeed later without anybody's doing. `operator`: what a person does about it.
 */
export interface CatalogueEntry {
  readonly message: string
  readonly retriable: boolean
  readonly operator: string
}

export const catalogue = {
  ISO_SETTING_INVALID: {
    message: 'settings are not valid',
    retriable: false,
    operator: 'Correct the settings named in the text; `isobar config` prints all of them with their meaning.'
  },
  ISO_DATA_UNWRITABLE: {
    message: 'the data folder cannot be written',
    retriable: false,
    operator: 'Set ISOBAR_DATA to a folder that this user may write, or change the rights of the folder.'
  },
  ISO_DATA_LOCKED: {
    message: 'another gateway uses this data folder',
    retriable: false,
    operator: 'Stop the other gateway, or give this one a folder of its own with ISOBAR_DATA.'
  },
  ISO_LISTEN_TAKEN: {
    message: 'the address is in use',
    retriable: false,
    operator: 'Stop what listens there, or change the setting named in the text.'
  },
  ISO_LISTEN_REFUSED: {
    message: 'the address cannot be listened on',
    retriable: false,
    operator: 'Check the host and port of the setting named in the text, and the rights of this user.'
  }
} as const satisfies Record<`ISO_${string}_${string}`, CatalogueEntry>

export type ErrorCode = keyof typeof catalogue

export interface IsobarErrorOptions {
  /** What exactly, for a person: appended to the catalogue's message. */
  readonly detail?: string
  readonly cause?: unknown
}

/** The only error that isobar throws on purpose. `code` is the catalogue's key and is stable. */
export class IsobarError extends Error {
  override readonly name = 'IsobarError'
  readonly code: ErrorCode
  readonly detail: string | undefined

  constructor (code: ErrorCode, { detail, cause }: IsobarErrorOptions = {}) {
    super(detail === undefined ? catalogue[code].message : `${catalogue[code].message}: ${detail}`, { cause })
    this.code = code
    this.detail = detail
  }

  get retriable (): boolean { return catalogue[this.code].retriable }
  get operator (): string { return catalogue[this.code].operator }
}

/** The `code` that Node, pg and lmdb put on their errors; empty when there is none. */
export function codeOf (error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' || typeof code === 'number' ? String(code) : ''
}

/** A text for a person from whatever was thrown. */
export function textOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
