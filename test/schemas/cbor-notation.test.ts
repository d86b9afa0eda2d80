import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { annotateCbor } from '../../schemas/cbor-notation.ts'
import { hexBytes } from '../helpers/telemetry.ts'

function notationOf (hex: string): string {
  return annotateCbor(hexBytes(hex)).items.map(({ notation }) => notation).join('')
}

t.test('items of every kind are written as RFC 8949 has them in its appendix A', async t => {
  const examples: ReadonlyArray<readonly [hex: string, notation: string]> = [
    ['00', '0'], ['17', '23'], ['1818', '24'], ['1903e8', '1000'], ['1bffffffffffffffff', '18446744073709551615'],
    ['20', '-1'], ['3863', '-100'], ['3bffffffffffffffff', '-18446744073709551616'],
    ['f90000', '0.0_1'], ['f98000', '-0.0_1'], ['f93e00', '1.5_1'], ['f90001', '5.960464477539063e-8_1'], ['f9c400', '-4.0_1'], ['f97c00', 'Infinity_1'], ['f97e00', 'NaN_1'],
    ['fa47c35000', '100000.0_2'], ['fb3ff199999999999a', '1.1_3'], ['fb7e37e43c8800759c', '1e+300_3'],
    ['f4', 'false'], ['f5', 'true'], ['f6', 'null'], ['f7', 'undefined'], ['f0', 'simple(16)'], ['f8ff', 'simple(255)'],
    ['40', "h''"], ['4401020304', "h'01020304'"], ['60', '""'], ['6161', '"a"'], ['62225c', '"\\"\\\\"'], ['62c3bc', '"ü"'],
    ['c11a514b67b0', '1(1363896240)'], ['d818456449455446', "24(h'6449455446')"],
    ['80', '[]'], ['83010203', '[1,2,3]'], ['8301820203820405', '[1,[2,3],[4,5]]'],
    ['a0', '{}'], ['a201020304', '{1:2,3:4}'], ['a26161016162820203', '{"a":1,"b":[2,3]}'],
    ['5f42010243030405ff', "(_ h'0102',h'030405')"], ['9fff', '[_ ]'], ['9f018202039f0405ffff', '[_ 1,[2,3],[_ 4,5]]'], ['bf6346756ef563416d7421ff', '{_ "Fun":true,"Amt":-2}']
  ]
  for (const [hex, notation] of examples) t.equal(notationOf(hex), notation, hex)
})

t.test('a number that is longer than it had to be is marked with its size', async t => {
  t.equal(notationOf('1807'), '7_0')
  t.equal(notationOf('1b0000000000000007'), '7_3')
  t.equal(notationOf('9900020102'), '[_1 1,2]')
  t.equal(notationOf('580100'), "h'00'_0")
})

t.test('items lie one after the other, with depth and place', async t => {
  const { items, next } = annotateCbor(hexBytes('a2 00 82 07 f6 01 20'))
  t.equal(next, 7)
  t.strictSame(items.map(({ at, end, kind, depth, index, value }) => [at, end, kind, depth, index, value]), [
    [0, 1, 'map', 0, 0, 2],
    [1, 2, 'integer', 1, 0, 0],
    [2, 3, 'array', 1, 1, 2],
    [3, 4, 'integer', 2, 0, 7],
    [4, 5, 'simple', 2, 1, null],
    [5, 6, 'integer', 1, 2, 1],
    [6, 7, 'integer', 1, 3, -1]
  ])
  t.equal(items[4]!.parent, items[2])
})

t.test('what is cut short is told at its place', async t => {
  t.match(annotateCbor(hexBytes('820119')).items, [{ kind: 'array' }, { kind: 'integer' }, { kind: 'unreadable', at: 2, end: 3 }])
  t.match(annotateCbor(hexBytes('8201')).items, [{ kind: 'array' }, { kind: 'integer' }, { kind: 'end', at: 2, end: 2, index: 1 }])
  t.match(annotateCbor(hexBytes('45010203')).items, [{ kind: 'unreadable', at: 0, end: 4 }])
  t.match(annotateCbor(hexBytes('')).items, [{ kind: 'end', at: 0 }])
})

t.test('what is no CBOR ends the reading: reserved lengths, a break without a beginning', async t => {
  for (const hex of ['1c00', '3d', 'fe', '1f', 'ff00', '81ff']) t.equal(annotateCbor(hexBytes(hex)).items.at(-1)!.kind, 'unreadable', hex)
})

t.test('several items in a row are a sequence', async t => {
  t.match(annotateCbor(hexBytes('01 80 02')).items, [{ notation: '1', depth: 0, parent: null }, { notation: '[]', depth: 0 }, { notation: '2', depth: 0 }])
})

t.test('a long string is shown in part, and its length is kept', async t => {
  const [item] = annotateCbor(Buffer.concat([Buffer.from('590400', 'hex'), Buffer.alloc(1024, 7)])).items
  t.equal(item!.notation, `h'${'07'.repeat(32)}…'`)
  t.equal(item!.end, 1027)
})

t.test('whatever the bytes are: never throws, items without gaps, at most 4096 of them', async t => {
  const random = seededRandom(7)
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))
    const { items, next } = annotateCbor(bytes)
    let at = 0
    for (const item of items) {
      if (item.at !== at || item.end < at) t.fail(`a gap in ${Buffer.from(bytes).toString('hex')}`)
      at = item.end
    }
    if (at !== next || next !== bytes.length) t.fail(`not to the end of ${Buffer.from(bytes).toString('hex')}`)
  }
  for (const byte of [0x00, 0x81, 0x9f, 0xbf, 0xc1, 0xd8, 0x5f, 0xff, 0xfb, 0x9b]) {
    const { items, next } = annotateCbor(new Uint8Array(1_000_000).fill(byte))
    t.ok(items.length <= 4096 && next <= 1_000_000, `a million bytes ${byte.toString(16)}`)
  }
})
