import { createLog, type Logger, type LogLevel } from '../../lib/log.ts'

/** A log line, parsed. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: number, readonly msg: string }

/** A log that a test can read. */
export function createTestLog (level: LogLevel = 'info'): { readonly log: Logger, readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = []
  return { lines, log: createLog(level, { write: line => { lines.push(JSON.parse(line) as LogLine) } }) }
}
