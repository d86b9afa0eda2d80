import { readFileSync } from 'node:fs'
import type { Login } from '../device/connection.ts'
import { exposedMode } from '../lib/config.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Settings } from '../schemas/settings.ts'

/**
 * How the commands that are MQTT clients log in at a gateway: ISOBAR_CLIENT_…; user and password of the URL come before those of the settings.
 * @throws IsobarError ISO_CLI_USAGE naming the setting, when it cannot be used
 */
export function clientLogin ({ client }: Pick<Settings, 'client'>, url: string): Login {
  const { user, password, caFile, certFile, keyFile } = client
  const { username, protocol } = new URL(url)
  if ((certFile === undefined) !== (keyFile === undefined)) throw new IsobarError('ISO_CLI_USAGE', { detail: 'ISOBAR_CLIENT_CERT_FILE and ISOBAR_CLIENT_KEY_FILE belong together' })
  if (password !== undefined && user === undefined) throw new IsobarError('ISO_CLI_USAGE', { detail: 'ISOBAR_CLIENT_PASSWORD is set, and ISOBAR_CLIENT_USER is not' })
  const isTls = protocol === 'mqtts:' || protocol === 'wss:'
  return {
    ...username !== '' || user === undefined ? {} : { username: user, password },
    ...isTls && caFile !== undefined ? { ca: textIn('ISOBAR_CLIENT_CA_FILE', caFile) } : {},
    ...isTls && certFile !== undefined ? { cert: textIn('ISOBAR_CLIENT_CERT_FILE', certFile), key: secretIn('ISOBAR_CLIENT_KEY_FILE', keyFile!) } : {}
  }
}

/** What to look at when no connection comes about; empty when nothing is known. */
export function tlsHint (reason: string): string {
  return /certificate|altname|self.signed|issuer/i.test(reason) ? '; ISOBAR_CLIENT_CA_FILE names the authority of its certificate, and the host of the URL must be one of the names in it' : ''
}

function textIn (setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new IsobarError('ISO_CLI_USAGE', { detail: `${setting}=${file}: ${codeOf(cause) || textOf(cause)}`, cause })
  }
}

/** Of a file that group and others can't read, or that lies where modes tell nothing. */
function secretIn (setting: string, file: string): string {
  const text = textIn(setting, file)
  const mode = process.platform === 'win32' ? null : exposedMode(file)
  if (mode !== null) throw new IsobarError('ISO_CLI_USAGE', { detail: `${setting}=${file} has mode ${mode}: group or others may read it; chmod 600 ${file}` })
  return text
}
