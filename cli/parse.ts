import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../lib/setting-kinds.ts'
import { isDeviceId, type DeviceId } from '../schemas/topics.ts'

// What commander calls with the text of an option. Each throws an InvalidArgumentError that says what was expected.

/** A device id. */
export function deviceIdOption (text: string): DeviceId {
  if (!isDeviceId(text)) throw new InvalidArgumentError('A device id has small letters, digits and -, at most 64, and is not "gateway".')
  return text
}

/** A whole number within bounds. */
export function wholeOption (min: number, max: number): (text: string) => number {
  return text => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    return value
  }
}

/** A number within bounds, such as -5.2, as a whole number of smaller units: `perUnit` of them make one. */
export function decimalOption (min: number, max: number, perUnit: number): (text: string) => number {
  return text => {
    const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`)
    return Math.round(value * perUnit)
  }
}

/** A duration such as 250ms, 5s or 10m, in ms. */
export function durationOption (minMs: number, maxMs: number): (text: string) => number {
  return text => {
    const ms = parseDuration(text)
    if (!(ms >= minMs && ms <= maxMs)) throw new InvalidArgumentError(`It must be a duration such as 250ms, 5s, 10m or 2h, from ${minMs} to ${maxMs} ms.`)
    return ms
  }
}
