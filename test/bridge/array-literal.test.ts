import t from 'tap'
import { arrayLiteral } from '../../bridge/array-literal.ts'
import { type ColumnType } from '../../schemas/row.ts'

const literal = (type: ColumnType, values: ReadonlyArray<string | number | null>): string => arrayLiteral(values, { type, of: value => value })

t.test('texts are quoted, and what quotes them is escaped', async t => {
  t.equal(literal('text', ['plain', 'a,b', '{x}', 'say "hi"', 'back\\slash', '', 'NULL', null, null, ' x ', 'ü']),
    '{"plain","a,b","{x}","say \\"hi\\"","back\\\\slash","","NULL",NULL,NULL," x ","ü"}')
})

t.test('numbers stand as they are', async t => {
  t.equal(literal('double precision', [20.1, 20.1, -5.2, 0, null, 1e21, 42_949_672.95]), '{20.1,20.1,-5.2,0,NULL,1e+21,42949672.95}')
  t.equal(literal('bigint', [0, 4_294_967_295, 2 ** 53 - 1]), '{0,4294967295,9007199254740991}')
})

t.test('times are what toISOString says', async t => {
  const times = [0, 1, 999, 9_999, 59_999, 60_000, 60_001, 1_790_000_000_000, 1_790_000_000_123, 1_789_999_999_999, 1_790_000_000_000, 4_294_967_295_999]
  t.equal(literal('timestamptz', [...times, null]), `{${times.map(ms => new Date(ms).toISOString()).join(',')},NULL}`)
})

t.test('no rows make an empty array', async t => {
  t.equal(literal('integer', []), '{}')
})
