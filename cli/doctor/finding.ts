import { IsobarError, textOf, type ErrorCode } from '../../lib/errors.ts'

/** What one check has found. */
export interface Finding {
  readonly check: string
  /** `fail`: a gateway does not start, or does not do what it promises, until somebody has done something. `warn`: worth knowing. */
  readonly state: 'ok' | 'warn' | 'fail'
  readonly text: string
  /** What to do about it; empty when all is well. */
  readonly advice: string
  readonly code: ErrorCode | null
}

export function ok (check: string, text: string): Finding {
  return { check, state: 'ok', text, advice: '', code: null }
}

export function warn (check: string, text: string, advice: string): Finding {
  return { check, state: 'warn', text, advice, code: null }
}

export function fail (check: string, text: string, advice: string): Finding {
  return { check, state: 'fail', text, advice, code: null }
}

/** What a part has thrown, or would throw, as a finding. */
export function failWith (check: string, error: unknown): Finding {
  if (error instanceof IsobarError) return { check, state: 'fail', text: error.message, advice: error.operator, code: error.code }
  return fail(check, textOf(error), 'Nobody foresaw this error: please report it.')
}

/** `1.5 GB`, `64 kB` */
export function bytesText (bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`
}

/** `12 s`, `5 min`, `3 h`, `20 d` */
export function ageText (ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  return s < 120 ? `${s} s` : s < 7_200 ? `${Math.round(s / 60)} min` : s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`
}

/** A check that breaks has failed; the others go on. */
export async function guarded (check: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look()
  } catch (error) {
    return failWith(check, error)
  }
}
