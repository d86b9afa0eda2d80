import { readFileSync } from 'node:fs'
import { exposedMode } from '../lib/config.ts'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { type Logger } from '../lib/log.ts'
import { type Login } from './connection.ts'

/** Where the login of a device stands. */
export interface LoginSettings {
  readonly brokerUrl: string
  readonly user?: string
  readonly password?: string
  readonly passwordFile?: string
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

/**
 * Reads the login of a device.
 * @throws IsobarError ISO_DEVICE_LOGIN naming the setting, when a file cannot be read, or others may read a secret
 */
export function readLogin (settings: LoginSettings, deviceId: string): Login {
  const { brokerUrl, user, passwordFile, caFile, certFile, keyFile } = settings
  if ((certFile === undefined) !== (keyFile === undefined)) throw new IsobarError('ISO_DEVICE_LOGIN', { detail: 'ISOBAR_DEVICE_CERT_FILE and ISOBAR_DEVICE_KEY_FILE belong together' })
  if (certFile !== undefined && !/^(mqtts|wss):/.test(brokerUrl)) throw new IsobarError('ISO_DEVICE_LOGIN', { detail: 'a certificate is shown to an mqtts:// or wss:// gateway only (ISOBAR_DEVICE_BROKER)' })
  const password = passwordFile === undefined ? settings.password : secretIn('ISOBAR_DEVICE_PASSWORD_FILE', passwordFile).replace(/\r?\n$/, '') || undefined
  return {
    username: user ?? (password === undefined ? undefined : deviceId),
    password,
    ca: caFile === undefined ? undefined : textIn('ISOBAR_DEVICE_CA_FILE', caFile),
    cert: certFile === undefined ? undefined : textIn('ISOBAR_DEVICE_CERT_FILE', certFile),
    key: keyFile === undefined ? undefined : secretIn('ISOBAR_DEVICE_KEY_FILE', keyFile)
  }
}

/**
 * The login, read anew at each call: a new password or certificate counts from the next connection on. When it cannot be read then, the last good one is used.
 * @throws IsobarError ISO_DEVICE_LOGIN when it cannot be read now
 */
export function createLogin (settings: LoginSettings, deviceId: string, log: Logger): () => Login {
  let login = readLogin(settings, deviceId)
  return () => {
    try {
      login = readLogin(settings, deviceId)
    } catch (err) {
      log.error({ err }, 'the login cannot be read any more; the last one is used')
    }
    return login
  }
}

function textIn (setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new IsobarError('ISO_DEVICE_LOGIN', { detail: `${setting}, ${file} (${codeOf(cause) || textOf(cause)})`, cause })
  }
}

function secretIn (setting: string, file: string): string {
  const text = textIn(setting, file)
  const mode = process.platform === 'win32' ? null : exposedMode(file)
  if (mode !== null) throw new IsobarError('ISO_DEVICE_LOGIN', { detail: `${setting}, ${file} has mode ${mode}: group or others may use it; chmod 600 ${file}` })
  return text
}
