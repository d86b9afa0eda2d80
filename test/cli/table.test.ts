import t from 'tap'
import { tableLines } from '../../cli/table.ts'

const readings = {
  columns: ['device_id', 'ts', 'temperature_c'],
  rows: [['pi-attic', new Date(1_790_000_000_000), 21.5], ['pi-cellar', new Date(1_790_000_001_000), null], ['x', null, -3]]
}

t.test('a table has a head, aligned columns with numbers to the right, and the number of its rows', async t => {
  t.same([...tableLines(readings, Infinity)], [
    'device_id  ts                        temperature_c',
    '---------  ------------------------  -------------',
    'pi-attic   2026-09-21T14:13:20.000Z           21.5',
    'pi-cellar  2026-09-21T14:13:21.000Z',
    'x                                               -3',
    '(3 rows)'
  ])
})

t.test('a table without rows shows its columns', async t => {
  t.same([...tableLines({ columns: ['a', 'bc'], rows: [] }, 80)], ['a  bc', '-  --', '(0 rows)'])
  t.same([...tableLines({ columns: ['one_long_name', 'another_long_name'], rows: [] }, 12)].at(-1), '(0 rows)', 'also where they do not fit')
})

t.test('no line is wider than the terminal: the longest texts end early, numbers stay whole', async t => {
  const table = { columns: ['id', 'reason', 'payload', 'n'], rows: [['abc', 'r'.repeat(60), 'p'.repeat(300), 123_456_789_012]] }
  for (const width of [200, 80, 44]) {
    const lines = [...tableLines(table, width)]
    t.equal(lines.length, 4)
    t.ok(lines.every(line => line.length <= width), `fits ${width}`)
    t.match(lines[2], /^abc .*…  +123456789012$/)
  }
})

t.test('where the columns cannot fit, each row becomes a block of lines', async t => {
  const columns = Array.from({ length: 9 }, (_, index) => `column_${index}`)
  const lines = [...tableLines({ columns, rows: [columns.map(() => 'value of some length'), columns.map(() => null)] }, 40)]
  t.equal(lines[0], '-- 1 --')
  t.equal(lines[1], 'column_0  value of some length')
  t.equal(lines[10], '-- 2 --')
  t.equal(lines.at(-1), '(2 rows)')
  t.ok(lines.every(line => line.length <= 40))
})

t.test('what a device sent cannot steer the terminal or break a line', async t => {
  const lines = [...tableLines({ columns: ['topic'], rows: [['iot/\u001b]0;owned\u0007\n/tele']] }, 80)]
  t.equal(lines.length, 4)
  t.equal(lines[2], 'iot/\\x1b]0;owned\\x07\\n/tele')
})

t.test('objects show as JSON, bytes in hex, booleans as words', async t => {
  const lines = [...tableLines({ columns: ['labels', 'raw', 'open'], rows: [[{ floor: 2 }, Uint8Array.of(1, 255), true]] }, 80)]
  t.equal(lines[2], '{"floor":2}  \\x01ff  true')
})
