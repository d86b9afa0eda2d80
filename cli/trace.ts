import { Command } from 'commander'
import { loadSettings } from '../schemas/settings.ts'
import type { Trace } from '../schemas/trace.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { printable, printableJson } from './escape.ts'
import { printLines } from './output.ts'
import { deviceIdOption, wholeOption } from './parse.ts'

const uint32 = wholeOption(0, 2 ** 32 - 1)

/** `isobar trace`: where one reading is, or went. */
export function traceCommand (): Command {
  return new Command('trace')
    .summary('find out where one reading is, or went')
    .description('Find out where one reading is, or went: stored with its row, pending with its inbox entry, or dead with the reason.')
    .argument('<device>', 'id of the device', deviceIdOption)
    .argument('<boot>', 'boot of the reading', uint32)
    .argument('<seq>', 'seq of the reading', uint32)
    .option('--json', 'print an object')
    .addHelpText('after', `
The running gateway looks through its inbox, its memory of the newest 100,000
settlements (batch, duplicates), the table readings and the dead letters. It is
asked over HTTP (ISOBAR_HTTP, ISOBAR_HTTP_TOKEN). What it could not look through,
as while the database is away, is named.

Examples:
  isobar trace sim-1 575421580 37
  isobar trace sim-1 575421580 37 --json | jq -r .where

Exit codes: 0 answered, also when the reading is unknown, 1 an error, 2 wrong
usage.`)
    .action(async (device: DeviceId, boot: number, seq: number, { json }: { json?: true }) => {
      const { createGatewayApi } = await import('./http-client.ts')
      const { traceSchema } = await import('../schemas/trace.ts')
      const trace = await createGatewayApi(loadSettings()).get(`/api/v1/trace/${device}/${boot}/${seq}`, traceSchema)
      await printLines(json === true ? [printableJson(JSON.stringify(trace))] : traceLines(trace))
    })
}

const meanings: Readonly<Record<Trace['where'], string>> = {
  stored: 'stored',
  pending: 'pending, in the inbox',
  dead: 'dead, kept as a dead letter',
  unknown: 'unknown here'
}

/** The answer for a person. */
export function * traceLines (trace: Trace): Iterable<string> {
  const { device, boot, seq, where, rows, inbox, letters, settlements, notAsked, at } = trace
  yield `${device}, boot ${boot}, seq ${seq}: ${meanings[where]}`
  for (const row of rows) {
    yield `row          ${iso(row.ts)}  ${valueOf(row.temperatureC, '°C')}  ${valueOf(row.pressureHpa, 'hPa')}  quality ${row.quality}  flags ${row.flags}${placeOf(row)}`
    yield `             received ${iso(row.receivedAt)} by ${printable(row.gateway)}, delivery ${row.delivery}`
  }
  for (const { delivery, receivedAt, clientId, readings, replay, state } of inbox) {
    yield `inbox        delivery ${delivery} of ${printable(clientId)} (${readingsText(readings)}), received ${iso(receivedAt)}, ${state === 'waiting' ? 'waits' : 'is being written'} for ${secondsText(at - receivedAt)}${replay ? ': the replay of a dead letter' : ''}`
  }
  for (const { id, at, times, code, reason, state, gateway, delivery } of letters) {
    yield `dead letter  ${id.slice(0, 8)} (${state}, ${times === 1 ? 'once' : `${times} times`}) at ${iso(at)}: ${printable(reason)} [${printable(code)}]`
    yield `             delivery ${delivery} of ${printable(gateway)}; isobar dlq show ${id.slice(0, 8)}`
  }
  for (const { delivery, receivedAt, settledAt, batch, batchRows, from, to, stored, duplicate, dead } of settlements) {
    const ends = [[stored, 'stored'], [duplicate, 'duplicate'], [dead, 'dead']].filter(([count]) => count !== 0).map(([count, fate]) => `${count} ${fate}`)
    yield `settled      delivery ${delivery} (seq ${from === to ? from : `${from} to ${to}`}) at ${iso(settledAt)}, ${secondsText(settledAt - receivedAt)} after its receipt: ${ends.join(', ')}, in batch ${batch} of ${batchRows} rows`
  }
  if (where === 'unknown' && notAsked.length === 0) yield 'This gateway never received it, or its row was deleted since.'
  for (const text of notAsked) yield `not asked    ${printable(text)}`
}

function iso (ms: number): string {
  return new Date(ms).toISOString()
}

function valueOf (value: number | null, unit: string): string {
  return value === null ? '-' : `${value} ${unit}`
}

function placeOf ({ room, site }: Trace['rows'][number]): string {
  const place = [room, site].filter(part => part !== null).map(printable)
  return place.length === 0 ? '' : `  ${place.join(', ')}`
}

function readingsText (readings: number): string {
  return readings === 1 ? '1 reading' : `${readings} readings`
}

function secondsText (ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(3)} s`
}
