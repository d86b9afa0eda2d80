/** Whether an address of a peer is of this machine: 127.0.0.0/8, ::1, also as IPv6 writes the former. */
export function isLoopbackAddress (address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address)
}
