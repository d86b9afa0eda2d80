import t from 'tap'
import { decodeBirth, encodeBirth, type Birth } from '../../schemas/birth.ts'

const birth: Birth = { v: 1, device: 'pi-kitchen-01', boot: 0x9f3c1a2b, firmware: '0.1.0', sensor: 'bmp180', intervalMs: 1000, oversampling: 3, at: 1_790_000_000_000 }

function decodeText (text: string): ReturnType<typeof decodeBirth> {
  return decodeBirth(Buffer.from(text))
}

t.test('a birth is JSON and comes back as it was', async t => {
  t.same(decodeText(encodeBirth(birth)), { ok: true, birth })
})

t.test('a newer device may say more', async t => {
  t.same(decodeText(JSON.stringify({ ...birth, battery: 3.3 })), { ok: true, birth: { ...birth, battery: 3.3 } })
})

t.test('what is no birth is refused with the rule that it breaks', async t => {
  const refused = (payload: Uint8Array, rule: RegExp): void => { t.match(decodeBirth(payload), { ok: false, code: 'ISO_BIRTH_INVALID', rule }) }
  refused(Buffer.from('{"v":1'), /not JSON/)
  refused(Buffer.of(0x22, 0xff, 0x22), /not JSON in UTF-8/)
  refused(Buffer.from('null'), /^the birth: Expected object/)
  refused(Buffer.from(JSON.stringify({ ...birth, v: 2 })), /^\/v: /)
  refused(Buffer.from(JSON.stringify({ ...birth, device: '../etc' })), /^\/device: /)
  refused(Buffer.from(JSON.stringify({ ...birth, boot: 2 ** 32 })), /^\/boot: /)
  refused(Buffer.from(JSON.stringify({ ...birth, oversampling: 1.5 })), /^\/oversampling: /)
  refused(Buffer.from(JSON.stringify({ ...birth, firmware: 'x'.repeat(65) })), /^\/firmware: /)
})
