import { Writable } from 'node:stream'
import { createInterface } from 'node:readline/promises'
import { text as readAll } from 'node:stream/consumers'
import { IsobarError } from '../lib/errors.ts'

/**
 * A password from a person at a terminal (not shown, and asked for again when `twice`), else the first line of stdin. Never an argument: everybody on a machine can read those.
 * @throws IsobarError ISO_CLI_USAGE when there is none, or the second is not the first
 */
export async function readPassword (prompt: string, { twice = false }: { twice?: boolean } = {}): Promise<string> {
  if (process.stdin.isTTY !== true) return checked((await readAll(process.stdin)).split(/\r?\n/, 1)[0]!)
  const password = checked(await ask(`${prompt}: `))
  if (twice && await ask('once more: ') !== password) throw new IsobarError('ISO_CLI_USAGE', { detail: 'the two passwords differ' })
  return password
}

function checked (password: string): string {
  if (password === '') throw new IsobarError('ISO_CLI_USAGE', { detail: 'the password is empty' })
  if (password.includes('\0')) throw new IsobarError('ISO_CLI_USAGE', { detail: 'a password has no NUL' })
  return password
}

/** The prompt goes to stderr, since stdout may be a file. */
async function ask (prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  process.stderr.write(prompt)
  try {
    return await terminal.question('')
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}
