import { isIPv6 } from 'node:net'

/** A header of the PROXY protocol, version 2, for a client at `address`. */
export function proxyHeader (address: string): Buffer {
  const bytes = addressBytes(address)
  const rest = Buffer.concat([bytes, bytes, Buffer.from('c0000050', 'hex')])
  return Buffer.concat([Buffer.from(`0d0a0d0a000d0a515549540a21${isIPv6(address) ? '21' : '11'}`, 'hex'), Buffer.from([rest.length >> 8, rest.length & 255]), rest])
}

function addressBytes (address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  const [head, tail = ''] = address.split('::') as [string, string?]
  const [before, after] = [head, tail].map(text => text === '' ? [] : text.split(':'))
  const words = [...before!, ...Array.from({ length: address.includes('::') ? 8 - before!.length - after!.length : 0 }, () => '0'), ...after!]
  return Buffer.concat(words.map(word => Buffer.from(word.padStart(4, '0'), 'hex')))
}
