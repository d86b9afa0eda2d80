import { BlockList, isIPv6, type Socket } from 'node:net'
import { fixedBytes, readProxyStart, sourceAddress } from './proxy-header.ts'

/** A proxy sends its header with the first bytes. */
const headerMs = 2_000

/** Whom a connection comes from, as its proxy says; `local`: from the proxy itself. */
export type Proxied = { readonly ok: true, readonly address: string, readonly local: boolean } | { readonly ok: false, readonly detail: string }

/** The proxies whose word about an address is taken. */
export class Proxies {
  readonly #list = new BlockList()

  /** @param addresses addresses and networks (`10.0.0.0/8`), separated by commas; undefined: none */
  constructor (addresses: string | undefined) {
    for (const entry of addresses?.split(',') ?? []) {
      const [address, prefix] = entry.trim().split('/') as [string, string?]
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (prefix === undefined) this.#list.addAddress(address, family)
      else this.#list.addSubnet(address, Number(prefix), family)
    }
  }

  trusts (address: string): boolean {
    return this.#list.check(plain(address), isIPv6(plain(address)) ? 'ipv6' : 'ipv4')
  }
}

/** An IPv4 address as IPv6 writes it is the IPv4 address. */
export function plain (address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}

/** Takes the header from a socket that is not read yet, and not a byte more. */
export async function readProxyHeader (socket: Socket): Promise<Proxied> {
  const reader = new HeaderReader(socket)
  try {
    const bytes = await reader.take(fixedBytes)
    const start = readProxyStart(bytes)
    if (start.kind === 'fault') return { ok: false, detail: start.detail }
    const rest = start.restBytes === 0 ? new Uint8Array(0) : await reader.take(start.restBytes)
    if (start.command === 'local') return { ok: true, address: plain(socket.remoteAddress ?? ''), local: true }
    const address = sourceAddress(start.family, rest)
    return address === null ? { ok: false, detail: `the PROXY header has addresses of family 0x${start.family.toString(16)}` } : { ok: true, address, local: false }
  } catch (error) {
    return { ok: false, detail: (error as Error).message }
  } finally {
    reader.end()
  }
}

/** Reads so many bytes, before the deadline, and leaves the rest in the socket. */
class HeaderReader {
  readonly #socket: Socket
  #wanted = 0
  #resolve: (bytes: Buffer) => void = () => {}
  #reject: (error: Error) => void = () => {}
  readonly #look = (): void => {
    const bytes = this.#wanted === 0 ? null : this.#socket.read(this.#wanted) as Buffer | null
    if (bytes === null) return
    this.#wanted = 0
    this.#resolve(bytes)
  }

  readonly #over = (): void => this.#reject(new Error('the connection ended within the PROXY header'))
  readonly #timer = setTimeout(() => this.#reject(new Error('no PROXY header came in time')), headerMs)

  constructor (socket: Socket) {
    this.#socket = socket
    socket.on('readable', this.#look).on('end', this.#over).on('close', this.#over)
  }

  async take (count: number): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      this.#wanted = count
      this.#resolve = resolve
      this.#reject = reject
      this.#look()
    })
  }

  end (): void {
    clearTimeout(this.#timer)
    this.#socket.off('readable', this.#look).off('end', this.#over).off('close', this.#over)
  }
}
