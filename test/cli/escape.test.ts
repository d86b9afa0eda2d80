import t from 'tap'
import { printable, printableJson } from '../../cli/escape.ts'

t.test('what a terminal would obey is written out', async t => {
  t.equal(printable('a\u001b[2Jb\u0000\u007f'), 'a\\x1b[2Jb\\x00\\x7f')
  t.equal(printable('\u009b31m'), '\\x9b31m', 'CSI as one character')
  t.equal(printable('one\ntwo\r\tthree'), 'one\\ntwo\\r\\tthree')
  t.equal(printable('moc\u202egpj'), 'moc\\u202egpj', 'marks that turn the writing direction')
  t.equal(printable('Küche 20 °C 室'), 'Küche 20 °C 室', 'everything else stays')
})

t.test('escaped JSON is still the same JSON', async t => {
  const value = { text: 'a\u001b\u009b\u202e\u2028"\\' }
  const json = printableJson(JSON.stringify(value))
  // eslint-disable-next-line no-control-regex
  t.notMatch(json, /[\u0000-\u001f\u007f-\u009f\u202e\u2028]/)
  t.same(JSON.parse(json), value)
})
