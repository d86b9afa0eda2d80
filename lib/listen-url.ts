import { IsobarError } from './errors.ts'

/** Where to listen. */
export interface ListenUrl {
  readonly setting: string
  /** As it was given. */
  readonly text: string
  readonly scheme: string
  readonly host: string
  readonly port: number
  /** With TLS. */
  readonly secure: boolean
  /** Whether trusted proxies put their header before what they pass on. */
  readonly takesProxies: boolean
}

const defaultPorts: Readonly<Record<string, number>> = { mqtt: 1883, mqtts: 8883, http: 80, https: 443 }

/** The addresses of a setting, one by one. */
export function listenUrls (value: string): readonly string[] {
  return value.split(',').map(url => url.trim())
}

/** @throws IsobarError ISO_LISTEN_URL for a path or an option that is not known */
export function parseListenUrl (setting: string, text: string): ListenUrl {
  const { protocol, hostname, port, pathname, search } = new URL(text)
  if (!/^\/?$/.test(pathname) || !/^(\?proxy=no)?$/.test(search)) throw new IsobarError('ISO_LISTEN_URL', { detail: `${setting}=${text}` })
  const scheme = protocol.slice(0, -1)
  return { setting, text, scheme, host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? defaultPorts[scheme]! : Number(port), secure: scheme === 'mqtts' || scheme === 'https', takesProxies: search === '' }
}

/** 127.0.0.0/8, ::1 and localhost. */
export function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
