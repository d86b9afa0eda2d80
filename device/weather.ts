import { seededRandom } from '../lib/random.ts'

/** The air around a simulated sensor. */
export interface Air {
  readonly temperatureC: number
  readonly pressurePa: number
}

/** The air at a wall time, epoch ms. */
export type Weather = (ts: number) => Air

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/**
 * Slowly moving weather: a room at 18 to 24 degC with its day, under pressure systems that pass in days, at an altitude of 0 to 500 m.
 * A pure function of time, so that a restart goes on where it ended; the seed places the room.
 */
export function createWeather (seed: number): Weather {
  const [warmth, phase, altitude] = [fraction(seed, 1), fraction(seed, 2), fraction(seed, 3)]
  const meanC = 19 + 4 * warmth
  const altitudePa = 12 * 500 * altitude // 12 Pa a metre
  return ts => ({
    temperatureC: meanC + wave(ts, dayMs, phase) + 0.3 * wave(ts, 1.7 * hourMs, warmth),
    // The same for every seed but for the altitude: the sensors of a house see the same weather.
    pressurePa: 101_325 - altitudePa + 900 * wave(ts, 5.3 * dayMs, 0) + 300 * wave(ts, 1.9 * dayMs, 0.4) + 60 * wave(ts, dayMs / 2, 0.1)
  })
}

function wave (ts: number, periodMs: number, phase: number): number {
  return Math.sin(2 * Math.PI * (ts / periodMs + phase))
}

function fraction (seed: number, index: number): number {
  return seededRandom(seed ^ Math.imul(index, 0x9e3779b9))()
}
