import { CommanderError } from 'commander'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { printable } from './escape.ts'

/** How every command ends. */
export const exitCodes = { ok: 0, error: 1, usage: 2 } as const

/** The exit code that belongs to whatever a command threw. commander uses 1 for its usage errors; here they are 2. */
export function exitCodeOf (error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  return error instanceof IsobarError && error.code === 'ISO_CLI_USAGE' ? exitCodes.usage : exitCodes.error
}

/**
 * One sentence for a person: what is wrong, its code, and what to do. Whatever isobar did not throw on purpose is a bug and shows where it happened.
 * Nothing in it can steer a terminal.
 */
export function sentenceOf (error: unknown): string {
  if (error instanceof IsobarError) return `${lines(error.message)} [${error.code}]. ${error.operator}`
  const code = codeOf(error)
  if (code === 'ERR_MODULE_NOT_FOUND') return sentenceOf(new IsobarError('ISO_CLI_INCOMPLETE', { detail: textOf(error) }))
  const stack = error instanceof Error && error.stack !== undefined ? error.stack.split('\n').slice(1).map(line => `\n${printable(line)}`).join('') : ''
  return `${lines(plainTextOf(error))}${code === '' ? '' : ` [${printable(code)}]`}. Nobody foresaw this error: please report it with these lines.${stack}`
}

/** Lines after the first are indented, so that none can pass for a line of isobar. */
function lines (text: string): string {
  return text.split('\n').map(printable).join('\n    ')
}

/** The message; for several errors at once (Node tries each address of a name) those of all, as Node leaves the outer one empty. */
function plainTextOf (error: unknown): string {
  if (error instanceof AggregateError) return [textOf(error), ...error.errors.map(plainTextOf)].filter(text => text !== '').join('; ')
  return textOf(error)
}
