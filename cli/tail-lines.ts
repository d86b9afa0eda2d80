import { decodeTelemetry } from '../schemas/telemetry-decode.ts'
import { statusText } from '../schemas/telemetry-explain.ts'
import { type Reading, type Telemetry } from '../schemas/telemetry.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { printable, printableJson } from './escape.ts'
import { readingColumns, readingValues } from './reading.ts'
import { type Verdict } from './verdicts.ts'

/** The lines about one message that arrived now (epoch ms): one a reading. */
export type MessageLines = (deviceId: DeviceId, payload: Uint8Array, now: number) => readonly string[]

/** The line about a verdict that came now (epoch ms). */
export type VerdictLine = (verdict: Verdict, now: number) => string

export interface TailLines {
  readonly message: MessageLines
  readonly verdict: VerdictLine
}

/** Objects with device, time, values and state; or, of a faulty message, code, rule and raw bytes. Those of verdicts have the member `verdict`. */
export const jsonLines: TailLines = { message: jsonMessage, verdict: jsonVerdict }

function jsonMessage (deviceId: DeviceId, payload: Uint8Array): readonly string[] {
  const decoded = decodeTelemetry(payload)
  const objects = decoded.ok
    ? decoded.telemetry.readings.map(reading => Object.fromEntries([['device_id', deviceId], ...readingValues(decoded.telemetry, reading).map((value, column) => [readingColumns[column], value])]) as object)
    : [{ device_id: deviceId, code: decoded.code, at: decoded.at, rule: decoded.rule, payload: Buffer.from(payload).toString('base64') }]
  return objects.map(object => printableJson(JSON.stringify(object)))
}

function jsonVerdict ({ deviceId, readings, dead }: Verdict): string {
  return printableJson(JSON.stringify({ device_id: deviceId, ...readings, verdict: dead === null ? 'stored' : 'dead', ...dead }))
}

/** Columns for people. That of the devices is as wide as the longest id so far. */
export function textLines (deviceWidth = 0): TailLines {
  let width = Math.max(8, deviceWidth)
  return { message, verdict }

  function message (deviceId: DeviceId, payload: Uint8Array, now: number): readonly string[] {
    width = Math.max(width, deviceId.length)
    const decoded = decodeTelemetry(payload)
    if (decoded.ok) return decoded.telemetry.readings.map(reading => readingText(deviceId.padEnd(width), decoded.telemetry, reading))
    const hex = Buffer.from(payload.subarray(0, 32)).toString('hex')
    return [`${new Date(now).toISOString()}  ${deviceId.padEnd(width)}  faulty: offset ${decoded.at} breaks the rule "${decoded.rule}" [${decoded.code}]  ${hex}${payload.length > 32 ? '…' : ''}`]
  }

  function verdict ({ deviceId, readings, dead }: Verdict, now: number): string {
    width = Math.max(width, deviceId.length)
    const which = readings === null ? [] : [String(readings.boot).padStart(10), seqsText(readings).padStart(7)]
    return [new Date(now).toISOString(), deviceId.padEnd(width), ...which, dead === null ? 'stored' : deadText(dead)].join('  ')
  }
}

function seqsText ({ from, to }: NonNullable<Verdict['readings']>): string {
  return from === to ? String(from) : `${from}-${to}`
}

function deadText ({ code, reason, id }: NonNullable<Verdict['dead']>): string {
  return printable(`dead${reason === undefined ? '' : `: ${reason}`} [${code}]${id === undefined ? '' : `  letter ${id}`}`)
}

function readingText (device: string, { boot, clock, status }: Telemetry, { ts, seq, temperatureDeciC, pressurePa }: Reading): string {
  const temperature = temperatureDeciC === null ? '-' : `${(temperatureDeciC / 10).toFixed(1)} °C`
  const pressure = pressurePa === null ? '-' : `${(pressurePa / 100).toFixed(2)} hPa`
  const notes = [clock === 0 ? '' : clock === 1 ? 'clock repaired' : 'clock unsynchronised', statusText(status)].filter(note => note !== '')
  return [new Date(ts).toISOString(), device, String(boot).padStart(10), String(seq).padStart(7), temperature.padStart(8), pressure.padStart(11), notes.join(', ')].join('  ').trimEnd()
}
