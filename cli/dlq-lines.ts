import { catalogue, type ErrorCode } from '../lib/errors.ts'
import { type ListedLetter } from '../schemas/dead-letter.ts'
import { explainTelemetry } from '../schemas/telemetry-explain.ts'
import { explanation } from './decode.ts'
import { printable, printableJson } from './escape.ts'
import { type Format } from './output.ts'

export const listedColumns = ['id', 'at', 'times', 'device_id', 'code', 'readings', 'seqs', 'state', 'reason'] as const

/** So much of an id is shown in a table: enough to name it. */
const shownId = 12

/** The values of a letter; for programs all of its id, and seqs as they are. */
export function listedRow ({ id, at, times, device_id: deviceId, code, readings, seqs, state, reason }: ListedLetter, format: Format): readonly unknown[] {
  const isTable = format === 'table'
  return [isTable ? id.slice(0, shownId) : id, new Date(at), times, deviceId, code, readings, isTable ? seqsText(seqs) : seqs, state, reason]
}

/** Everything about one letter, for programs. */
export function letterJson ({ payload, ...letter }: ListedLetter & { readonly payload: Uint8Array }): string {
  return printableJson(JSON.stringify({ ...letter, at: new Date(letter.at), payload: Buffer.from(payload).toString('base64') }))
}

/** Everything about one letter, with its bytes explained. */
export function * letterLines (letter: ListedLetter & { readonly payload: Uint8Array }, width: number): Iterable<string> {
  const { payload, code } = letter
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['id', letter.id],
    ['state', letter.state],
    ['at', `${new Date(letter.at).toISOString()}${letter.times === 1 ? '' : `, the newest of ${letter.times} times`}`],
    ['device', `${letter.device_id}, client id ${letter.client_id}`],
    ['topic', letter.topic],
    ['code', `${code}, found by the step ${letter.stage}`],
    ['reason', letter.reason],
    ['readings', `${letter.readings}${letter.seqs.length === 0 ? '' : `: ${seqsText(letter.seqs)}`}`],
    ['delivery', `${letter.delivery} of gateway ${letter.gateway}`],
    ...(Object.hasOwn(catalogue, code) ? [['what to do', catalogue[code as ErrorCode].operator] as const] : []),
    ['payload', `${payload.length} bytes in base64:`]
  ]
  for (const [name, text] of rows) yield `${name.padEnd(10)}  ${printable(text)}`
  yield Buffer.from(payload).toString('base64')
  yield ''
  if (letter.topic.endsWith('/tele')) yield * explanation(payload.length, 'of payload', explainTelemetry(payload), width)
  else yield printable(Buffer.from(payload).toString('utf8'))
}

/** `boot 7: 1-3, 9; boot 8: 0` */
function seqsText (seqs: ListedLetter['seqs']): string {
  const boots = [...new Set(seqs.map(([boot]) => boot))]
  return boots.map(boot => `boot ${boot}: ${seqs.filter(([of]) => of === boot).map(([, from, to]) => from === to ? from : `${from}-${to}`).join(', ')}`).join('; ')
}
