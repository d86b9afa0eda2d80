import t from 'tap'
import { csvLines, formatOf, jsonLines } from '../../cli/output.ts'

t.test('JSON is an array of row objects, with numbers, nulls, objects and ISO times', async t => {
  const rows = [['pi', 21.5, null, new Date(0), { a: [1] }, true, 9_007_199_254_740_993n], ['x', NaN, undefined, null, null, false, 1]]
  const json = [...jsonLines({ columns: ['id', 'n', 'nothing', 'ts', 'labels', 'ok', 'big'], rows })].join('\n')
  t.same(JSON.parse(json), [
    { id: 'pi', n: 21.5, nothing: null, ts: '1970-01-01T00:00:00.000Z', labels: { a: [1] }, ok: true, big: '9007199254740993' },
    { id: 'x', n: 'NaN', nothing: null, ts: null, labels: null, ok: false, big: 1 }
  ])
})

t.test('JSON of no rows is an empty array', async t => {
  t.same([...jsonLines({ columns: ['a'], rows: [] })], ['[]'])
})

t.test('two columns of one name both reach the object', async t => {
  const json = [...jsonLines({ columns: ['a', 'a', 'a_2'], rows: [[1, 2, 3]] })].join('\n')
  t.same(JSON.parse(json), [{ a: 1, a_2: 2, a_2_2: 3 }])
})

t.test('a column may be called __proto__', async t => {
  t.equal([...jsonLines({ columns: ['__proto__'], rows: [[1]] })].join(''), '[{"__proto__":1}]')
})

t.test('CSV has a header and quotes what needs it', async t => {
  const lines = [...csvLines({ columns: ['id', 'note'], rows: [['a', 'plain'], ['b', 'with "quotes", commas'], ['c', 'two\nlines'], ['d', null]] }, { terminal: false })]
  t.same(lines, ['id,note', 'a,plain', 'b,"with ""quotes"", commas"', 'c,"two\nlines"', 'd,'])
})

t.test('CSV has no formula: a text that begins like one gets a quote in front, a number stays a number', async t => {
  const texts = ['=1+1', '+cmd', '-x', '@sum', '\tx', '-3.5', '1e3']
  const [, ...lines] = csvLines({ columns: ['a'], rows: [...texts.map(text => [text]), [-3.5]] }, { terminal: false })
  t.same(lines, ["'=1+1", "'+cmd", "'-x", "'@sum", "'\tx", '-3.5', '1e3', '-3.5'])
  t.same([...csvLines({ columns: ['=a'], rows: [] }, { terminal: false })], ["'=a"], 'nor in its header')
})

t.test('CSV on a terminal cannot steer it; in a file it is what the table holds', async t => {
  const table = { columns: ['a'], rows: [['x\u001b[2J']] }
  t.equal([...csvLines(table, { terminal: true })][1], 'x\\x1b[2J')
  t.equal([...csvLines(table, { terminal: false })][1], 'x\u001b[2J')
})

t.test('the options choose the format', async t => {
  t.equal(formatOf({}), 'table')
  t.equal(formatOf({ json: true }), 'json')
  t.equal(formatOf({ csv: true }), 'csv')
})
