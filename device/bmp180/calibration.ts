import { IsobarError } from '../../lib/errors.ts'
import { calibrationBytes } from './registers.ts'

/** The words in the order of the EEPROM. */
export const calibrationWords = ['ac1', 'ac2', 'ac3', 'ac4', 'ac5', 'ac6', 'b1', 'b2', 'mb', 'mc', 'md'] as const
export type CalibrationWord = typeof calibrationWords[number]

const unsignedWords: ReadonlySet<CalibrationWord> = new Set(['ac4', 'ac5', 'ac6'])

/** The 11 words of a chip, each with its sign: int16, but ac4, ac5 and ac6 uint16. Different in every chip. `mb` takes no part in the compensation. */
export type Calibration = Readonly<Record<CalibrationWord, number>>

/**
 * The calibration in 22 bytes read from the chip, checked and frozen.
 * @throws IsobarError ISO_SENSOR_CALIBRATION naming the word at fault
 */
export function parseCalibration (bytes: Uint8Array): Calibration {
  if (bytes.length !== calibrationBytes) throw new IsobarError('ISO_SENSOR_CALIBRATION', { detail: `${bytes.length} bytes instead of ${calibrationBytes}` })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const entries = calibrationWords.map((word, index) => {
    const value = view.getUint16(index * 2)
    // Data sheet 3.4: a word of 0x0000 or 0xFFFF means that the bus answered, not the chip.
    if (value === 0x0000 || value === 0xffff) throw new IsobarError('ISO_SENSOR_CALIBRATION', { detail: `${word} is 0x${value.toString(16).padStart(4, '0')}` })
    return [word, unsignedWords.has(word) ? value : view.getInt16(index * 2)] as const
  })
  return Object.freeze(Object.fromEntries(entries)) as Calibration
}

/** The 22 bytes of a calibration, as the EEPROM holds them. */
export function encodeCalibration (calibration: Calibration): Uint8Array {
  const view = new DataView(new ArrayBuffer(calibrationBytes))
  calibrationWords.forEach((word, index) => view.setUint16(index * 2, calibration[word])) // modulo 2^16: right for both signs
  return new Uint8Array(view.buffer)
}
