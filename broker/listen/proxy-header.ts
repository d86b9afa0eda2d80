import { isIPv6 } from 'node:net'

// The header of the PROXY protocol, version 2, as HAProxy and others put it before what they pass on.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, 2.2

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
/** Signature, version and command, family, length of the rest. */
export const fixedBytes = 16
/** Longer than all addresses with some fields behind them; a proxy sends no more unless it is asked to. */
const maxRestBytes = 520

/** `rest`: so many bytes follow the first 16. `local`: the proxy speaks for itself, as for a health check. */
export type ProxyStart = { readonly kind: 'start', readonly command: 'local' | 'proxy', readonly family: number, readonly restBytes: number } | { readonly kind: 'fault', readonly detail: string }

/** Reads the first 16 bytes of a header. */
export function readProxyStart (bytes: Uint8Array): ProxyStart {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!start.subarray(0, 12).equals(signature)) return fault('what came first is no header of the PROXY protocol, version 2')
  const [versionAndCommand, family, restBytes] = [start[12]!, start[13]!, start.readUInt16BE(14)]
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) return fault(`version and command of the PROXY header are 0x${versionAndCommand.toString(16)}`)
  if (restBytes > maxRestBytes) return fault(`the PROXY header has ${restBytes} bytes more`)
  return { kind: 'start', command: versionAndCommand === 0x20 ? 'local' : 'proxy', family, restBytes }
}

/** The address that a proxy passes on; null when it is none of TCP over IPv4 or IPv6. @param rest the bytes behind the first 16 */
export function sourceAddress (family: number, rest: Uint8Array): string | null {
  if (family === 0x11 && rest.length >= 12) return [...rest.subarray(0, 4)].join('.')
  if (family === 0x21 && rest.length >= 36) return ipv6(rest.subarray(0, 16))
  return null
}

/** As Node writes the address of a peer, so that the same client has one name; an IPv4 address within IPv6 is the IPv4 address. */
function ipv6 (bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  const text = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2).toString(16)).join(':')
  const short = new URL(`http://[${text}]`).hostname.slice(1, -1)
  if (!isIPv6(short)) throw new Error(`unreachable: ${text}`)
  return short.startsWith('::ffff:') ? [...bytes.subarray(12)].join('.') : short
}

function fault (detail: string): ProxyStart {
  return { kind: 'fault', detail }
}
