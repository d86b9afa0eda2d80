/** Registers, commands and times of the BMP180: data sheet BST-BMP180-DS000, section 4. */

/** The I2C address, fixed in the chip: two chips need two buses. */
export const address = 0x77

export const register = {
  /** 22 bytes of EEPROM: 11 words, big-endian. */
  calibration: 0xaa,
  chipId: 0xd0,
  softReset: 0xe0,
  /** ctrl_meas: oversampling in bits 7:6, SCO in bit 5, the kind of conversion in bits 4:0. */
  control: 0xf4,
  /** MSB, LSB, XLSB. Holds the previous result until a conversion has ended. */
  result: 0xf6
} as const

export const calibrationBytes = 22

/** What `register.chipId` answers. The BMP085 has the same one and the same registers. */
export const chipId = 0x55

/** Other chips of the same maker at the same address, by id. */
export const otherChips: Readonly<Record<number, string>> = { 0x56: 'a BMP280', 0x57: 'a BMP280', 0x58: 'a BMP280', 0x60: 'a BME280', 0x61: 'a BME680' }

/** Written to `register.softReset`: as after power-up. */
export const resetCommand = 0xb6

/** From power-up or reset to the first access, in ms. */
export const startUpMs = 10

/** First byte of `register.result` after power-up, before a conversion has ended; the second is 0. */
export const powerUpMsb = 0x80

/** Start of conversion: 1 while the chip converts. */
export const scoBit = 0x20

/** OSS: 1, 2, 4 or 8 samples a pressure. */
export type Oversampling = 0 | 1 | 2 | 3

/** @throws RangeError for a number that is none */
export function oversamplingOf (number: number): Oversampling {
  if (number !== 0 && number !== 1 && number !== 2 && number !== 3) throw new RangeError(`oversampling is 0 to 3, not ${number}`)
  return number
}

/** A conversion: its command for `register.control` (SCO is in it), the longest time it takes, and how long to wait before the first look. */
export interface Conversion {
  readonly command: number
  readonly maxMs: number
  /** At least 1 ms over the maximum: a Node timer may fire early. */
  readonly waitMs: number
}

export const temperatureConversion: Conversion = { command: 0x2e, maxMs: 4.5, waitMs: 6 }

/** By oversampling. */
export const pressureConversions = [
  { command: 0x34, maxMs: 4.5, waitMs: 6 },
  { command: 0x74, maxMs: 7.5, waitMs: 9 },
  { command: 0xb4, maxMs: 13.5, waitMs: 15 },
  { command: 0xf4, maxMs: 25.5, waitMs: 27 }
] as const satisfies readonly Conversion[]
