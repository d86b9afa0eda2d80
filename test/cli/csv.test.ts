import t from 'tap'
import { csvRecords } from '../../cli/csv.ts'

const cellsOf = (text: string): ReadonlyArray<readonly string[]> => [...csvRecords(text)].map(({ cells }) => cells)

t.test('records end with LF, CRLF or the text; empty lines are skipped', async t => {
  t.same(cellsOf('a,b\nc,\r\n\n  \n,d'), [['a', 'b'], ['c', ''], ['', 'd']])
  t.same(cellsOf('a,'), [['a', '']])
  t.same(cellsOf(''), [])
})

t.test('quoted cells may hold commas, quotes and line breaks', async t => {
  t.same(cellsOf('"a, ""b""",c\r\n"two\r\nlines","",x'), [['a, "b"', 'c'], ['two\r\nlines', '', 'x']])
  t.same(cellsOf('"a"\r\n"b"\r'), [['a'], ['b']])
})

t.test('a byte order mark is not part of the first cell', async t => {
  t.same(cellsOf('\ufeffdevice_id,site\n'), [['device_id', 'site']])
})

t.test('a record knows the line where it begins', async t => {
  t.same([...csvRecords('h\n\n"x\ny\nz",1\nlast\n')].map(({ line }) => line), [1, 3, 6])
})

t.test('a record at fault says why, and the next line is read', async t => {
  const records = [...csvRecords('a"b,c\n"d"e\nfine,1\n"never ends\nx')]
  t.match(records.map(({ line, fault }) => ({ line, fault })), [
    { line: 1, fault: /middle of a cell/ },
    { line: 2, fault: /behind a closing quote/ },
    { line: 3, fault: null },
    { line: 4, fault: /does not end/ },
    { line: 5, fault: null }
  ])
})
