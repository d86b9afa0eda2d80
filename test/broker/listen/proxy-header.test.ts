import t from 'tap'
import { Proxies } from '../../../broker/listen/proxies.ts'
import { readProxyStart, sourceAddress } from '../../../broker/listen/proxy-header.ts'
import { proxyHeader } from '../../helpers/proxy.ts'

t.test('the address of a header is that of the client, as Node would write it', async t => {
  const addresses = ['192.0.2.7', '2001:db8::1', '::1', 'fe80::a:0:0:1']
  for (const address of addresses) {
    const header = proxyHeader(address)
    const start = readProxyStart(header.subarray(0, 16))
    t.match(start, { kind: 'start', command: 'proxy', restBytes: header.length - 16 }, address)
    if (start.kind === 'start') t.equal(sourceAddress(start.family, header.subarray(16)), address)
  }
  t.equal(sourceAddress(0x21, Buffer.from(`${'00'.repeat(10)}ffffc0000207${'00'.repeat(20)}`, 'hex')), '192.0.2.7', 'IPv4 within IPv6')
})

t.test('a health check of the proxy itself has no address', async t => {
  t.match(readProxyStart(Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')), { kind: 'start', command: 'local', restBytes: 0 })
})

t.test('what is no header is refused', async t => {
  for (const [hex, detail] of [
    ['0d0a0d0a000d0a515549540b21110000', /no header/],
    ['50524f58592054435034203139322e30', /no header/], // version 1
    ['0d0a0d0a000d0a515549540a31110000', /0x31/],
    ['0d0a0d0a000d0a515549540a22110000', /0x22/],
    ['0d0a0d0a000d0a515549540a2111ffff', /65535 bytes more/]
  ] as const) t.match(readProxyStart(Buffer.from(hex, 'hex')), { kind: 'fault', detail }, hex)
  t.equal(sourceAddress(0x31, new Uint8Array(216)), null, 'a Unix socket')
  t.equal(sourceAddress(0x11, new Uint8Array(11)), null, 'too short')
  t.equal(sourceAddress(0x21, new Uint8Array(35)), null)
  t.equal(sourceAddress(0, new Uint8Array(36)), null)
})

t.test('only addresses of the setting are trusted', async t => {
  const proxies = new Proxies('10.0.0.7, 192.168.0.0/16,fd00::/8')
  for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '192.168.3.4', 'fd00::9']) t.equal(proxies.trusts(address), true, address)
  for (const address of ['10.0.0.8', '127.0.0.1', '::1', 'fe80::1']) t.equal(proxies.trusts(address), false, address)
  t.equal(new Proxies(undefined).trusts('127.0.0.1'), false)
})
