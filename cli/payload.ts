import { createReadStream, existsSync } from 'node:fs'
import { type Readable } from 'node:stream'
import { IsobarError, textOf } from '../lib/errors.ts'

/** How a payload is written. `raw`: its own bytes. */
export type PayloadForm = 'hex' | 'base64' | 'raw'

export interface Payload {
  readonly bytes: Uint8Array
  /** For a person: `from hex`, `from the file x.bin, base64`. */
  readonly origin: string
}

export interface PayloadOptions {
  readonly hex?: true
  readonly base64?: true
  readonly file?: true
}

/** Longest input; the gateway's own limit for a packet is 64 kB unless it is changed. */
const maxInputBytes = 1_000_000

/**
 * The payload that a command is given: hex or base64 as words, the path of a file, or stdin when there is no word or only `-`.
 * @throws IsobarError ISO_CLI_INPUT when it cannot be read, ISO_CLI_USAGE when it is in none of the forms
 */
export async function readPayload (words: readonly string[], options: PayloadOptions): Promise<Payload> {
  const word = words.join(' ')
  if (word === '' || word === '-') return await readStdin(options)
  const form = forced(options)
  if (form === 'raw') return { bytes: await readWhole(createReadStream(word), word), origin: `from the file ${word}` }
  if (form !== null) return { bytes: parse(word, form), origin: `from ${form}` }
  const hex = fromHex(word)
  if (hex !== null) return { bytes: hex, origin: 'from hex' }
  if (existsSync(word)) return tellApart(await readWhole(createReadStream(word), word), `the file ${word}`)
  const base64 = fromBase64(word)
  if (base64 !== null) return { bytes: base64, origin: 'from base64' }
  throw new IsobarError('ISO_CLI_USAGE', { detail: `"${word.slice(0, 40)}" is neither hex nor base64 nor a file` })
}

async function readStdin (options: PayloadOptions): Promise<Payload> {
  if (process.stdin.isTTY) throw new IsobarError('ISO_CLI_USAGE', { detail: 'no payload was given: put it behind the command, name a file, or send it to stdin' })
  const input = await readWhole(process.stdin, 'stdin')
  const form = forced(options)
  if (form === null) return tellApart(input, 'stdin')
  if (form === 'raw') return { bytes: input, origin: 'from stdin' }
  return { bytes: parse(Buffer.from(input).toString('latin1'), form), origin: `from stdin, ${form}` }
}

function forced ({ hex, base64, file }: PayloadOptions): PayloadForm | null {
  return hex === true ? 'hex' : base64 === true ? 'base64' : file === true ? 'raw' : null
}

function parse (text: string, form: 'hex' | 'base64'): Uint8Array {
  const bytes = form === 'hex' ? fromHex(text) : fromBase64(text)
  if (bytes === null) throw new IsobarError('ISO_CLI_USAGE', { detail: `the payload is not ${form}` })
  return bytes
}

/** Text in hex or base64 is what it says; everything else, as every valid message, is the payload itself. */
function tellApart (input: Uint8Array, source: string): Payload {
  const text = Buffer.from(input).toString('latin1')
  const hex = fromHex(text)
  if (hex !== null) return { bytes: hex, origin: `from ${source}, hex` }
  const base64 = fromBase64(text)
  return base64 === null ? { bytes: input, origin: `from ${source}` } : { bytes: base64, origin: `from ${source}, base64` }
}

/** Bytes of a hex text: spaces and colons may stand between, `0x` or `\x` (as psql prints) in front. null when it is something else. */
export function fromHex (text: string): Uint8Array | null {
  const digits = text.trim().replace(/^(?:0x|\\x)/, '').replaceAll(/[\s:]/g, '')
  return digits !== '' && digits.length % 2 === 0 && /^[\da-f]+$/i.test(digits) ? Buffer.from(digits, 'hex') : null
}

/** Bytes of a base64 text, with either alphabet, with or without padding. null when it is something else. */
export function fromBase64 (text: string): Uint8Array | null {
  const digits = text.replaceAll(/\s/g, '')
  const [, data = '', padding = ''] = /^([\w+/-]+)(={0,2})$/.exec(digits) ?? []
  const isWhole = data !== '' && data.length % 4 !== 1 && (padding === '' || (data.length + padding.length) % 4 === 0)
  return isWhole ? Buffer.from(data, 'base64') : null
}

async function readWhole (stream: Readable, name: string): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > maxInputBytes) break
      chunks.push(chunk)
    }
  } catch (error) {
    throw new IsobarError('ISO_CLI_INPUT', { detail: `${name}: ${textOf(error)}`, cause: error })
  }
  if (length > maxInputBytes) throw new IsobarError('ISO_CLI_INPUT', { detail: `${name} is longer than ${maxInputBytes} bytes` })
  return Buffer.concat(chunks)
}
