import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package.ts'
import { type ClockQuality, type Reading, type Telemetry } from '../../schemas/telemetry.ts'

/** A message with its exact bytes, both written down by hand. docs/WIRE.md shows the same. */
export interface Golden { readonly name: string, readonly hex: string, readonly telemetry: Telemetry }

export const golden: readonly Golden[] = JSON.parse(readFileSync(join(packageRoot, 'test/fixtures/telemetry-golden.json'), 'utf8'))

/** Bytes from hex; spaces may stand anywhere. */
export function hexBytes (hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** A valid message of 1 to `maxRows` readings whose numbers are often the limits of their kinds. */
export function drawTelemetry (random: () => number, maxRows: number): Telemetry {
  const rows = 1 + Math.floor(random() * maxRows)
  const readings: Reading[] = []
  const firstSeq = drawBelow(random, 0x1_0000_0000 - rows)
  let ts = drawBelow(random, 0x8000_0000) * 1000 + Math.floor(random() * 1000)
  for (let row = 0; row < rows; row++) {
    readings.push({
      seq: firstSeq + row,
      ts,
      temperatureDeciC: random() < 0.1 ? null : drawBelow(random, 0x1_0000) - 0x8000,
      pressurePa: random() < 0.1 ? null : drawBelow(random, 0x1_0000_0000)
    })
    ts += drawBelow(random, 4_000_000) // 500 of them keep within the last second of the format
  }
  return { boot: drawBelow(random, 0x1_0000_0000), clock: drawBelow(random, 3) as ClockQuality, status: drawBelow(random, 0x1_0000), readings }
}

/** A whole number from 0 to `limit - 1`, near a border of CBOR's lengths as often as not. */
function drawBelow (random: () => number, limit: number): number {
  const borders = [0, 23, 24, 255, 256, 0xffff, 0x1_0000, limit - 1]
  if (random() < 0.5) return Math.floor(random() * limit)
  return Math.min(limit - 1, borders[Math.floor(random() * borders.length)]!)
}
