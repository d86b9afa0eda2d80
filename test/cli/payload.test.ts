import t from 'tap'
import { fromBase64, fromHex } from '../../cli/payload.ts'

t.test('hex may have spaces, colons, line breaks, and a prefix as psql or C write it', async t => {
  for (const text of ['a5000f', 'A5 00 0f', 'a5:00:0F', '0xa5000f', '\\xa5000f', ' a5\n000f\n']) t.same(fromHex(text), Buffer.from('a5000f', 'hex'), text)
  for (const text of ['', 'a5000', 'a5g0', 'a5-00', '0x']) t.equal(fromHex(text), null, text)
})

t.test('base64 has either alphabet, padding or none, and line breaks', async t => {
  for (const text of ['+/8=', '-_8=', '+/8', '-_8', '+/\n8=\n']) t.same(fromBase64(text), Buffer.from('fbff', 'hex'), text)
  for (const text of ['', 'a', 'abcde', 'ab=', 'ab*d', 'abcd=', '====']) t.equal(fromBase64(text), null, text)
})
