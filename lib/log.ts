import { pino, type Logger, type DestinationStream } from 'pino'

export type { Logger }

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = typeof logLevels[number]

/**
 * The process's logger: JSON lines on stderr, pretty on a terminal. A part takes a child with its name (`log.child({ part: 'inbox' })`).
 * One constant sentence, fields beside it. WARN: odd, nothing lost. ERROR: something was lost, or a person must act.
 */
export function createLog (level: LogLevel, destination?: DestinationStream): Logger {
  if (destination !== undefined) return pino({ level }, destination)
  if (process.stderr.isTTY) {
    return pino({ level, transport: { target: 'pino-pretty', options: { destination: 2, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' } } })
  }
  return pino({ level }, pino.destination({ dest: 2, sync: true }))
}
