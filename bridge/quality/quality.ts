import { flags, quality, type Quality } from '../../schemas/row.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { type OpenRow, type Placed } from '../enrich.ts'
import { placementAt, type Placements } from '../placements.ts'
import { defaultLimits, type QualityLimits } from './limits.ts'
import { Series, spike, type Excess } from './series.ts'

export interface QualityParts {
  readonly placements: Pick<Placements, 'of'>
  /** Devices whose newest readings are remembered; beyond it all series begin anew. */
  readonly maxDevices: number
  readonly counters: { readingsSuspect: number, readingsBad: number, forgottenSeries: number }
}

/** What the sensor can measure at all (BMP180 datasheet, table 2). */
const sensorC = { from: -40, to: 85 } as const
const sensorHpa = { from: 300, to: 1100 } as const
/** A spike so many times as high as a suspect one is bad. */
const badTimesC = 5
const badTimesPa = 10
const farFromReceiptMs = 60_000

/**
 * The tests of quality (QARTOD): range, rate of change, spike, flat line, and the clock. They set `quality` and `flags` of rows and drop nothing.
 * Readings that come late or again are compared within their message only.
 */
export class QualityTests {
  readonly #parts: QualityParts
  readonly #series = new Map<DeviceId, Series>()

  constructor (parts: QualityParts) {
    this.#parts = parts
  }

  /** Judges the rows of one delivery, which are those of one boot in order of seq. */
  judge ({ delivery: { deviceId }, rows }: Placed): void {
    const [first] = rows
    if (first === undefined) return
    const { placements, counters } = this.#parts
    const known = placements.of(deviceId)
    const series = this.#seriesFor(deviceId, first)
    let previous: OpenRow | null = null
    for (const row of rows) {
      const limits = known === undefined ? defaultLimits : placementAt(known, row.ts).limits
      const before = series.before
      const goesOn = series.add(row)
      if (goesOn && previous !== null && before !== null) judgeSpike(previous, before, row, limits)
      judgeClock(row)
      judgeValue(row, limits)
      if (goesOn) judgeSeries(row, series, limits)
      previous = row
    }
    for (const row of rows) {
      if (row.quality === quality.suspect) counters.readingsSuspect++
      else if (row.quality === quality.bad) counters.readingsBad++
    }
  }

  /** Those that are late, or there already, get a series of their own, which nobody keeps. */
  #seriesFor (deviceId: DeviceId, first: OpenRow): Series {
    const known = this.#series.get(deviceId)
    if (known !== undefined) return known.isBefore(first) ? known : new Series()
    const { maxDevices, counters } = this.#parts
    if (this.#series.size >= maxDevices) {
      counters.forgottenSeries += this.#series.size
      this.#series.clear()
    }
    const series = new Series()
    this.#series.set(deviceId, series)
    return series
  }
}

function judgeClock (row: OpenRow): void {
  if (row.ts < row.receivedAt - farFromReceiptMs) row.flags |= flags.late
  else if (row.ts > row.receivedAt + farFromReceiptMs) row.flags |= flags.ahead
}

function judgeValue (row: OpenRow, { temperatureC: usualC, seaLevelHpa: usualHpa }: QualityLimits): void {
  const { temperatureC, pressureHpa, altitudeM } = row
  if (temperatureC === null && pressureHpa === null) return
  if ((row.flags & flags.sensorFault) !== 0) row.quality = quality.bad
  if (temperatureC !== null) note(row, flags.temperatureRange, outside(temperatureC, sensorC) ? 2 : outside(temperatureC, usualC) ? 1 : 0)
  if (pressureHpa === null) return
  const isOdd = altitudeM !== null && altitudeM < 44_330 && outside(pressureHpa / (1 - altitudeM / 44_330) ** 5.255, usualHpa)
  note(row, flags.pressureRange, outside(pressureHpa, sensorHpa) ? 2 : isOdd ? 1 : 0)
}

function judgeSeries (row: OpenRow, series: Series, limits: QualityLimits): void {
  note(row, flags.temperatureRate, series.temperatureJumps(limits) ? 1 : 0)
  note(row, flags.pressureRate, series.pressureJumps(limits) ? 1 : 0)
  note(row, flags.pressureFlat, series.flat(limits))
}

/** A spike shows only when the next reading is there: the last row of a message is not looked at. */
function judgeSpike (row: OpenRow, before: Pick<OpenRow, 'temperatureC' | 'pressureHpa'>, after: OpenRow, { temperatureSpikeC, pressureSpikePa }: QualityLimits): void {
  note(row, flags.temperatureSpike, spike(before.temperatureC, row.temperatureC, after.temperatureC, temperatureSpikeC, badTimesC * temperatureSpikeC))
  note(row, flags.pressureSpike, spike(before.pressureHpa, row.pressureHpa, after.pressureHpa, pressureSpikePa / 100, badTimesPa * pressureSpikePa / 100))
}

function outside (value: number, { from, to }: { readonly from: number, readonly to: number }): boolean {
  return value < from || value > to
}

const qualityOf = [quality.good, quality.suspect, quality.bad] as const satisfies Record<Excess, Quality>
/** The worst wins, in QARTOD's order 4, 3, 1, 2, 9. */
const ranks = { [quality.missing]: 0, [quality.notEvaluated]: 1, [quality.good]: 2, [quality.suspect]: 3, [quality.bad]: 4 } as const

function note (row: OpenRow, flag: number, excess: Excess): void {
  if (excess !== 0) row.flags |= flag
  const found = qualityOf[excess]
  if (ranks[found] > ranks[row.quality]) row.quality = found
}
