/** What a reading is measured against. Infinity, or a range without ends, turns a test off. */
export interface QualityLimits {
  /** Suspect outside. */
  readonly temperatureC: Range
  /** Of the pressure reduced to sea level, where the altitude is known; suspect outside. */
  readonly seaLevelHpa: Range
  /** Suspect beyond; what the sensor's own noise and steps amount to is added. */
  readonly temperatureRateCPerMin: number
  readonly pressureRatePaPerMin: number
  /** Away from the middle of both neighbours: suspect beyond, bad beyond 5 times (temperature) and 10 times (pressure) as much. */
  readonly temperatureSpikeC: number
  readonly pressureSpikePa: number
  /** So many equal pressures in a row are suspect, 5 times as many bad. */
  readonly pressureFlatReadings: number
}

export interface Range {
  readonly from: number
  readonly to: number
}

const everything: Range = { from: -Infinity, to: Infinity }

/** Chosen so that millions of good readings of a BMP180, in any of its oversamplings, raise no alarm; 870 and 1085 hPa are the extremes of nature. */
export const defaultLimits: QualityLimits = Object.freeze({
  temperatureC: { from: -30, to: 50 },
  seaLevelHpa: { from: 870, to: 1085 },
  temperatureRateCPerMin: 5,
  pressureRatePaPerMin: 200,
  temperatureSpikeC: 1,
  pressureSpikePa: 50,
  pressureFlatReadings: 12
})

/** The labels of a placement that set a limit for the device while it hangs there. */
export const limitLabels = {
  'qc.temperature_c': 'temperatureC',
  'qc.sea_level_hpa': 'seaLevelHpa',
  'qc.temperature_rate_c_per_min': 'temperatureRateCPerMin',
  'qc.pressure_rate_pa_per_min': 'pressureRatePaPerMin',
  'qc.temperature_spike_c': 'temperatureSpikeC',
  'qc.pressure_spike_pa': 'pressureSpikePa',
  'qc.pressure_flat_readings': 'pressureFlatReadings'
} as const satisfies Record<string, keyof QualityLimits>

/**
 * The limits that labels ask for, such as `qc.temperature_c=-60..20` or `qc.pressure_spike_pa=off`.
 * @param labels what the table `placements` has, of whatever shape
 * @returns the default limits themselves when the labels set none; and each label that says no limit, as a sentence, whose default stays
 */
export function limitsOf (labels: unknown): { readonly limits: QualityLimits, readonly faults: readonly string[] } {
  if (typeof labels !== 'object' || labels === null) return { limits: defaultLimits, faults: [] }
  const faults: string[] = []
  const set: Record<string, Range | number> = {}
  for (const [label, value] of Object.entries(labels)) {
    if (!label.startsWith('qc.')) continue
    const name = Object.hasOwn(limitLabels, label) ? limitLabels[label as keyof typeof limitLabels] : undefined
    const limit = name === undefined ? null : typeof defaultLimits[name] === 'number' ? numberOf(`${value}`) : rangeOf(`${value}`)
    if (name !== undefined && limit !== null) set[name] = limit
    else if (name === undefined) faults.push(`${label} is no limit (${Object.keys(limitLabels).join(', ')})`)
    else faults.push(`${label} must be ${typeof defaultLimits[name] === 'number' ? 'a number above 0' : 'a range such as -40..60'} or off, not "${`${value}`.slice(0, 60)}"`)
  }
  return { limits: Object.keys(set).length === 0 ? defaultLimits : { ...defaultLimits, ...set }, faults }
}

const number = /^[+-]?\d+(?:\.\d+)?$/

function numberOf (text: string): number | null {
  if (text === 'off') return Infinity
  return number.test(text) && Number(text) > 0 ? Number(text) : null
}

function rangeOf (text: string): Range | null {
  if (text === 'off') return everything
  const [from = '', to = '', ...more] = text.split('..')
  if (more.length > 0 || !number.test(from) || !number.test(to) || Number(from) >= Number(to)) return null
  return { from: Number(from), to: Number(to) }
}
