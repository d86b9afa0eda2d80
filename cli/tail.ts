import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { stopSignals } from '../lib/lifecycle.ts'
import { loadSettings } from '../schemas/settings.ts'
import { decodeTelemetry } from '../schemas/telemetry-decode.ts'
import { statusText } from '../schemas/telemetry-explain.ts'
import { type Reading, type Telemetry } from '../schemas/telemetry.ts'
import { Topics, type DeviceId } from '../schemas/topics.ts'
import { printable, printableJson } from './escape.ts'
import { gatewayUrl, withUrlOption } from './mqtt-url.ts'
import { printLines } from './output.ts'
import { deviceIdOption, wholeOption } from './parse.ts'
import { readingColumns, readingValues } from './reading.ts'
import { timeOfDay } from './status-line.ts'

interface TailOptions {
  readonly device?: readonly DeviceId[]
  readonly count?: number
  readonly json?: true
  readonly url?: string
}

/** `isobar tail`: prints readings as the gateway receives them. */
export function tailCommand (): Command {
  return withUrlOption(new Command('tail'))
    .summary('print readings live, as the gateway receives them')
    .description('Print readings live, as the gateway receives them: whether or not the database takes them.')
    .option('-d, --device <id...>', 'only these devices (default: all)', (text: string, ids: readonly DeviceId[] = []) => [...ids, deviceIdOption(text)])
    .option('-n, --count <n>', 'end after so many readings; a faulty message counts as one', wholeOption(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print an object a line')
    .addHelpText('after', help)
    .action(tail)
}

const help = `
The columns: time of the reading, device, boot, seq, temperature, pressure, and
what the message says of clock and sensor when not all is well. A message that is
no telemetry is shown with the rule that it breaks ('isobar decode' explains it),
and the time of its arrival.

A connection that is lost is made again, and stderr says so; what comes meanwhile
is not shown (the table readings has it). Ctrl-C ends it.

Examples:
  isobar tail
  isobar tail --device pi-attic pi-cellar
  isobar tail --json --count 10 | jq .temperature_c
  isobar tail --url mqtt://gateway.example:1883

Exit codes: 0 ended by Ctrl-C, by --count or by its reader, 1 the gateway cannot be
reached at the start or refuses it, 2 wrong usage.`

async function tail ({ device, count = Infinity, json, url: given }: TailOptions): Promise<void> {
  const settings = loadSettings()
  const topics = new Topics(settings.topics.root)
  const url = gatewayUrl(settings, given)
  const filters = device?.map(id => topics.tele(id)) ?? [`${topics.root}/+/tele`]
  const { subscribe } = await import('./subscriber.ts')
  const signals = stopSignals()
  const end = new AbortController()
  const lines = json === true ? jsonLines : textLines(Math.max(0, ...device?.map(id => id.length) ?? []))
  let left = count
  try {
    await subscribe({
      url,
      filters,
      clientId: `isobar-tail-${randomBytes(4).toString('hex')}`,
      take: async (topic, payload) => {
        const deviceId = topics.parseJournaled(topic)?.deviceId
        if (deviceId === undefined || end.signal.aborted) return // the topic of no device: the gateway does not take it either
        const messageLines = lines(deviceId, payload, realClock.now()).slice(0, left)
        left -= messageLines.length
        const isRead = await printLines(messageLines)
        if (left === 0 || !isRead) end.abort()
      },
      onChanged: lost => { process.stderr.write(`isobar: ${timeOfDay(realClock.now())}  ${lost === null ? 'connected again' : `the connection to ${maskSecret(url)} is lost (${printable(lost)}); trying again`}\n`) }
    }, AbortSignal.any([signals.stop, end.signal]))
  } finally {
    signals.close()
  }
}

/** The lines about one message that arrived now (epoch ms): one a reading. */
type MessageLines = (deviceId: DeviceId, payload: Uint8Array, now: number) => readonly string[]

/** Objects with device, time, values and state; or, of a faulty message, code, rule and raw bytes. */
export const jsonLines: MessageLines = (deviceId, payload) => {
  const decoded = decodeTelemetry(payload)
  const objects = decoded.ok
    ? decoded.telemetry.readings.map(reading => Object.fromEntries([['device_id', deviceId], ...readingValues(decoded.telemetry, reading).map((value, column) => [readingColumns[column], value])]) as object)
    : [{ device_id: deviceId, code: decoded.code, at: decoded.at, rule: decoded.rule, payload: Buffer.from(payload).toString('base64') }]
  return objects.map(object => printableJson(JSON.stringify(object)))
}

/** Columns for people. That of the devices is as wide as the longest id so far. */
export function textLines (deviceWidth = 0): MessageLines {
  let width = Math.max(8, deviceWidth)
  return (deviceId, payload, now) => {
    width = Math.max(width, deviceId.length)
    const decoded = decodeTelemetry(payload)
    if (decoded.ok) return decoded.telemetry.readings.map(reading => readingText(deviceId.padEnd(width), decoded.telemetry, reading))
    const hex = Buffer.from(payload.subarray(0, 32)).toString('hex')
    return [`${new Date(now).toISOString()}  ${deviceId.padEnd(width)}  faulty: offset ${decoded.at} breaks the rule "${decoded.rule}" [${decoded.code}]  ${hex}${payload.length > 32 ? '…' : ''}`]
  }
}

function readingText (device: string, { boot, clock, status }: Telemetry, { ts, seq, temperatureDeciC, pressurePa }: Reading): string {
  const temperature = temperatureDeciC === null ? '-' : `${(temperatureDeciC / 10).toFixed(1)} °C`
  const pressure = pressurePa === null ? '-' : `${(pressurePa / 100).toFixed(2)} hPa`
  const notes = [clock === 0 ? '' : clock === 1 ? 'clock repaired' : 'clock unsynchronised', statusText(status)].filter(note => note !== '')
  return [new Date(ts).toISOString(), device, String(boot).padStart(10), String(seq).padStart(7), temperature.padStart(8), pressure.padStart(11), notes.join(', ')].join('  ').trimEnd()
}
