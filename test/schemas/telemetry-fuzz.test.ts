import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { encodeTelemetry, type Telemetry } from '../../schemas/telemetry.ts'
import { checkTelemetry, decodeTelemetry, maxTs, maxUint32, telemetryRules, type Checked, type Decoded } from '../../schemas/telemetry-decode.ts'
import { drawTelemetry, golden, hexBytes } from '../helpers/telemetry.ts'

/** Initial bytes of every kind of CBOR item, and the borders of lengths: where a decoder goes wrong. */
const sharp = [0x00, 0x01, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1f, 0x20, 0x38, 0x3b, 0x40, 0x5b, 0x5f, 0x60, 0x7b, 0x7f, 0x80, 0x83, 0x98, 0x9a, 0x9f, 0xa0, 0xa5, 0xa7, 0xba, 0xbf, 0xc1, 0xc2, 0xd8, 0xdb, 0xf4, 0xf6, 0xf7, 0xf9, 0xfb, 0xff]

/** A mutant: a copy with one to three bytes changed, added, taken out, doubled or cut off. */
function mutate (payload: Uint8Array, random: () => number): Uint8Array {
  const bytes = [...payload]
  const draw = (limit: number): number => Math.floor(random() * limit)
  for (let changes = 1 + draw(3); changes > 0; changes--) {
    const at = draw(bytes.length + 1)
    switch (draw(6)) {
      case 0: if (at < bytes.length) bytes[at]! ^= 1 << draw(8); break
      case 1: if (at < bytes.length) bytes[at] = sharp[draw(sharp.length)]!; break
      case 2: bytes.splice(at, 0, sharp[draw(sharp.length)]!); break
      case 3: bytes.splice(at, 1 + draw(4)); break
      case 4: bytes.splice(at, 0, ...bytes.slice(at, at + draw(8))); break
      case 5: if (random() < 0.2) bytes.length = at; break
    }
  }
  return Uint8Array.from(bytes)
}

/** What is wrong with the two answers to one payload; empty when nothing is. */
function faultOf (payload: Uint8Array, decoded: Decoded, checked: Checked): string {
  if (!decoded.ok || !checked.ok) {
    if (JSON.stringify(decoded) !== JSON.stringify(checked)) return 'decode and check refuse differently'
    const { code, rule, at } = decoded as Decoded & { ok: false }
    if (telemetryRules[rule] !== code) return `rule "${rule}" has not the code ${code}`
    return at >= 0 && at <= payload.length ? '' : `offset ${at} lies outside`
  }
  const { boot, readings } = decoded.telemetry
  if (checked.readings !== readings.length || checked.boot !== boot || checked.lastSeq !== readings.at(-1)!.seq) return 'decode and check count differently'
  const again = decodeTelemetry(encodeTelemetry(decoded.telemetry))
  return JSON.stringify(again) === JSON.stringify(decoded) ? '' : 'what was decoded is not encoded to the same'
}

/** The payload behind a proxy that counts how often each byte is read. */
function countingReads (payload: Uint8Array): { payload: Uint8Array, reads: Uint8Array } {
  const reads = new Uint8Array(payload.length + 1)
  const proxy = new Proxy(payload, {
    get (target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) reads[Math.min(Number(name), target.length)]!++
      return Reflect.get(target, name, target)
    }
  })
  return { payload: proxy, reads }
}

/** At the very end of seq and time, where one changed bit passes it. */
const last: Telemetry = {
  boot: 7,
  clock: 0,
  status: 0,
  readings: [-1, 0].map(back => ({ seq: maxUint32 + back, ts: maxTs + back, temperatureDeciC: 210, pressurePa: 98_800 }))
}

function * mutants (seed: number, count: number): Generator<Uint8Array> {
  const random = seededRandom(seed)
  const parents = [...golden.map(({ hex }) => hexBytes(hex)), encodeTelemetry(last), ...Array.from({ length: 6 }, () => encodeTelemetry(drawTelemetry(random, 4)))]
  for (let mutant = 0; mutant < count; mutant++) yield mutate(parents[mutant % parents.length]!, random)
}

t.test('100,000 mutants: none throws, decode and check agree, and what is accepted is whole', async t => {
  let accepted = 0
  const rules = new Set<string>()
  for (const payload of mutants(20_260_921, 100_000)) {
    const decoded = decodeTelemetry(payload)
    const fault = faultOf(payload, decoded, checkTelemetry(payload))
    if (fault !== '') throw new Error(`${fault}: ${Buffer.from(payload).toString('hex')}`)
    if (decoded.ok) accepted++
    else rules.add(decoded.rule)
  }
  t.ok(accepted > 1000, `${accepted} were accepted`)
  t.same(Object.keys(telemetryRules).filter(rule => !rules.has(rule)), ['at most 16384 bytes'], 'the others broke every rule but the size')
})

t.test('no byte is read twice, and none beyond the end', async t => {
  const hostile = ['81'.repeat(16_384), `c25a00010000${'ff'.repeat(16_000)}`, 'bf'.repeat(16_384), `a50001010702000300069901f4${'8300f6f6'.repeat(500)}`, '1b'.repeat(1000)].map(hexBytes)
  for (const payload of [...hostile, ...mutants(2, 3000)]) {
    for (const read of [decodeTelemetry, checkTelemetry]) {
      const counting = countingReads(payload)
      read(counting.payload)
      if (counting.reads.some(count => count > 1) || counting.reads.at(-1) !== 0) throw new Error(`${read.name} reads twice or too far: ${Buffer.from(payload).toString('hex')}`)
    }
  }
  const whole = countingReads(hexBytes(golden[0]!.hex))
  decodeTelemetry(whole.payload)
  t.ok(whole.reads.subarray(0, -1).every(count => count === 1), 'a valid message is read to its last byte, so the counting works')
})

t.test('a payload that is too long is refused without a look at its bytes', async t => {
  const { payload, reads } = countingReads(new Uint8Array(20_000).fill(0x81))
  t.match(checkTelemetry(payload), { ok: false, code: 'ISO_TELEMETRY_SIZE', at: 0 })
  t.ok(reads.every(count => count === 0))
})
