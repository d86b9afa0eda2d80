import t from 'tap'
import { checkTelemetry, decodeTelemetry, telemetryRules, type TelemetryRule } from '../../schemas/telemetry-decode.ts'
import { golden, hexBytes } from '../helpers/telemetry.ts'

/** A valid message of one row; each case below changes it in one place. The number is the offset of the item that breaks the rule. */
const valid = 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'

const refused: ReadonlyArray<readonly [TelemetryRule, number, string, string]> = [
  ['at most 16384 bytes', 0, 'a payload of 16385 bytes', `${valid} ${'00'.repeat(16_385 - 24)}`],
  ['nothing follows the message', 24, 'a byte behind the message', `${valid} 00`],
  ['nothing follows the message', 24, 'a second message', `${valid} ${valid}`],
  ['no item goes beyond the last byte', 0, 'no byte at all', ''],
  ['no item goes beyond the last byte', 19, 'the last byte missing', valid.slice(0, -2)],
  ['no item goes beyond the last byte', 14, 'more rows than bytes', 'a5 0001 0107 0200 031a6ab13b7f 06 83 83 00 18d2 1a000181f0'],
  ['no item goes beyond the last byte', 24, 'a pair more than there is', `a6 ${valid.slice(3)}`],
  ['definite lengths', 0, 'a map of indefinite length', `bf ${valid.slice(3)} ff`],
  ['definite lengths', 14, 'rows of indefinite length', 'a5 0001 0107 0200 031a6ab13b7f 06 9f 83 00 18d2 1a000181f0 ff'],
  ['definite lengths', 4, 'a reserved length', 'a5 0001 011c 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 7 in 2 bytes', 'a5 0001 011807 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 7 in 3 bytes', 'a5 0001 01190007 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 7 in 5 bytes', 'a5 0001 011a00000007 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 7 in 9 bytes', 'a5 0001 011b0000000000000007 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 23 in 2 bytes', 'a5 0001 011817 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 255 in 3 bytes', 'a5 0001 011900ff 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 65535 in 5 bytes', 'a5 0001 011a0000ffff 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 4, 'boot 4294967295 in 9 bytes', 'a5 0001 011b00000000ffffffff 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['integers in their shortest form', 0, 'the number of pairs in 2 bytes', `b805 ${valid.slice(3)}`],
  ['integers in their shortest form', 14, 'the number of rows in 2 bytes', 'a5 0001 0107 0200 031a6ab13b7f 06 9801 83 00 18d2 1a000181f0'],
  ['no float and no simple value but null', 17, 'temperature 21.0 as a double', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 fb4035000000000000 1a000181f0'],
  ['no float and no simple value but null', 17, 'temperature 21.0 as a single', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 fa41a80000 1a000181f0'],
  ['no float and no simple value but null', 17, 'temperature NaN', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 f97e00 1a000181f0'],
  ['no float and no simple value but null', 17, 'temperature undefined', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 f7 1a000181f0'],
  ['no float and no simple value but null', 4, 'boot true', 'a5 0001 01f5 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['no float and no simple value but null', 14, 'a stray break', 'a5 0001 0107 0200 031a6ab13b7f 06 ff'],
  ['no tag', 0, 'a tag before the message', `c0 ${valid}`],
  ['no tag', 0, 'the tag of a self-described CBOR', `d9d9f7 ${valid}`],
  ['no tag', 8, 'a base time with the tag of a time', 'a5 0001 0107 0200 03c11a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['no tag', 19, 'a pressure as a bignum', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 18d2 c243000181'],
  ['the message is a map', 0, 'an array', '85 01 07 00 1a6ab13b7f 81830018d21a000181f0'],
  ['the message is a map', 0, '16,384 nested arrays', '81'.repeat(16_384)],
  ['keys ascend, each once', 5, 'keys in another order', 'a5 0001 0200 0107 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['keys ascend, each once', 5, 'a key twice', 'a5 0001 0107 0107 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['keys are 0 to 6', 24, 'key 7', `a6 ${valid.slice(3)} 0700`],
  ['keys are 0 to 6', 1, 'key 4294967295', 'a5 1affffffff 01'],
  ['keys 0, 1, 2, 3 and 6 are there', 0, 'no key 3', 'a4 0001 0107 0200 06 81 83 00 18d2 1a000181f0'],
  ['keys 0, 1, 2, 3 and 6 are there', 0, 'no key 6', 'a4 0001 0107 0200 031a6ab13b7f'],
  ['keys 0, 1, 2, 3 and 6 are there', 0, 'no key 0', 'a4 0107 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['keys 0, 1, 2, 3 and 6 are there', 0, 'no key', 'a0'],
  ['an unsigned integer stands here', 3, 'a key as text', 'a5 0001 613107 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['an unsigned integer stands here', 4, 'boot as bytes', 'a5 0001 0141ff 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['an unsigned integer stands here', 4, 'boot -1', 'a5 0001 0120 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['an unsigned integer stands here', 4, 'boot null', 'a5 0001 01f6 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['an integer or null stands here', 17, 'temperature as text', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 62323131 1a000181f0'],
  ['an integer or null stands here', 17, 'text that claims 2^53 bytes', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 7b001fffffffffffff'],
  ['rows are an array', 14, 'rows as a map', 'a5 0001 0107 0200 031a6ab13b7f 06 a1 83 00 18d2 1a000181f0'],
  ['a row is an array of 3', 15, 'a row of 2', 'a5 0001 0107 0200 031a6ab13b7f 06 81 82 00 18d2'],
  ['a row is an array of 3', 15, 'a row of 4', 'a5 0001 0107 0200 031a6ab13b7f 06 81 84 00 18d2 1a000181f0 00'],
  ['a row is an array of 3', 15, 'a row that is a number', 'a5 0001 0107 0200 031a6ab13b7f 06 81 03 00 18d2 1a000181f0'],
  ['version 1', 2, 'version 2', 'a5 0002 0107 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['uint32 at most', 4, 'boot 2^32', 'a5 0001 011b0000000100000000 0200 031a6ab13b7f 06 81 83 00 18d2 1a000181f0'],
  ['uint32 at most', 16, 'dt 2^64 - 1', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 1bffffffffffffffff 18d2 1a000181f0'],
  ['clock 0 to 2', 14, 'clock 3', 'a6 0001 0107 0200 031a6ab13b7f 0403 06 81 83 00 18d2 1a000181f0'],
  ['status 0 to 65535', 14, 'status 65536', 'a6 0001 0107 0200 031a6ab13b7f 051a00010000 06 81 83 00 18d2 1a000181f0'],
  ['rows 1 to 500', 14, 'no row', 'a5 0001 0107 0200 031a6ab13b7f 06 80'],
  ['rows 1 to 500', 14, '501 rows', `a5 0001 0107 0200 031a6ab13b7f 06 9901f5 ${'8300f6f6'.repeat(501)}`],
  ['rows 1 to 500', 14, '4294967295 rows', 'a5 0001 0107 0200 031a6ab13b7f 06 9affffffff 83 00 18d2 1a000181f0'],
  ['temperature -32768 to 32767', 17, 'temperature 32768', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 198000 1a000181f0'],
  ['temperature -32768 to 32767', 17, 'temperature -32769', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 398000 1a000181f0'],
  ['pressure 0 to 4294967295', 19, 'pressure -1', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 18d2 20'],
  ['pressure 0 to 4294967295', 19, 'pressure 2^32', 'a5 0001 0107 0200 031a6ab13b7f 06 81 83 00 18d2 1b0000000100000000'],
  ['seq does not pass 4294967295', 18, 'a second row after the last seq', 'a5 0001 0107 021affffffff 031a6ab13b7f 06 82 8300f6f6 8300f6f6'],
  ['time does not pass 4294967295 s', 16, 'a row after the last second', 'a5 0001 0107 0200 031affffffff 06 81 83 1903e8 18d2 1a000181f0']
]

const accepted: ReadonlyArray<readonly [string, string]> = [
  ['the message that the others are made from', valid],
  ['clock and status of 0 said in full', 'a7 0001 0107 0200 031a6ab13b7f 0400 0500 06 81 83 00 18d2 1a000181f0'],
  ['status bits that nobody knows', 'a6 0001 0107 0200 031a6ab13b7f 0519ffff 06 81 83 00 18d2 1a000181f0'],
  ['temperatures at both ends', 'a5 0001 0107 0200 031a6ab13b7f 06 82 8300397ffff6 8300197ffff6'],
  ['pressures at both ends', 'a5 0001 0107 0200 031a6ab13b7f 06 82 8300f600 8300f61affffffff'],
  ['the last seq and the last ms', 'a5 0001 0107 021affffffff 031affffffff 06 81 83 1903e7 f6 f6']
]

t.test('golden bytes are decoded to what stands beside them', async t => {
  for (const { name, hex, telemetry } of golden) t.same(decodeTelemetry(hexBytes(hex)), { ok: true, telemetry }, name)
})

t.test('the check counts the readings and names the last one', async t => {
  t.same(checkTelemetry(hexBytes(golden[0]!.hex)), { ok: true, readings: 1, boot: 0x9f3c1a2b, lastSeq: 160 })
  t.same(checkTelemetry(hexBytes(golden[1]!.hex)), { ok: true, readings: 2, boot: 7, lastSeq: 1 })
})

for (const [rule, at, name, hex] of refused) {
  t.test(`${name} is refused: ${rule}`, async t => {
    const refusal = { ok: false, code: telemetryRules[rule], at, rule }
    t.same(decodeTelemetry(hexBytes(hex)), refusal)
    t.same(checkTelemetry(hexBytes(hex)), refusal)
  })
}

for (const [name, hex] of accepted) {
  t.test(`${name}: accepted`, async t => {
    t.match(decodeTelemetry(hexBytes(hex)), { ok: true })
    t.match(checkTelemetry(hexBytes(hex)), { ok: true })
  })
}

t.test('every rule has a message above that breaks it', async t => {
  const broken = new Set(refused.map(([rule]) => rule))
  t.same(Object.keys(telemetryRules).filter(rule => !broken.has(rule as TelemetryRule)), [])
})

t.test('a message cut anywhere ends too early, and nothing else', async t => {
  for (const { hex } of golden) {
    const payload = hexBytes(hex)
    const rules = new Set(Array.from(payload, (_, end) => checkTelemetry(payload.subarray(0, end))).map(checked => checked.ok || checked.rule))
    t.same([...rules], ['no item goes beyond the last byte'])
  }
})
