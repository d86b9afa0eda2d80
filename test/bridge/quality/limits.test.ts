import t from 'tap'
import { defaultLimits, limitLabels, limitsOf } from '../../../bridge/quality/limits.ts'

t.test('without labels, and with labels of other purposes, the defaults hold', async t => {
  for (const labels of [null, undefined, 'text', 7, {}, { floor: '2', qc: 'no' }]) t.strictSame(limitsOf(labels), { limits: defaultLimits, faults: [] })
})

t.test('a label sets a limit, and the others stay', async t => {
  t.strictSame(limitsOf({ floor: '2', 'qc.temperature_c': '-60..20.5', 'qc.pressure_spike_pa': '80' }), {
    limits: { ...defaultLimits, temperatureC: { from: -60, to: 20.5 }, pressureSpikePa: 80 }, faults: []
  })
  t.match(limitsOf({ 'qc.pressure_flat_readings': 30 }).limits, { pressureFlatReadings: 30 }, 'a number of JSON as well as its text')
})

t.test('off turns a test off', async t => {
  for (const [label, name] of Object.entries(limitLabels)) {
    const off = limitsOf({ [label]: 'off' }).limits[name]
    t.strictSame(off, typeof defaultLimits[name] === 'number' ? Infinity : { from: -Infinity, to: Infinity }, label)
  }
})

t.test('a label that says no limit is told, and its default holds', async t => {
  const { limits, faults } = limitsOf({ 'qc.temperature_c': '20', 'qc.sea_level_hpa': '1085..870', 'qc.pressure_spike_pa': '-1', 'qc.humidity': '1', 'qc.temperature_spike_c': { deep: 1 } })
  t.strictSame(limits, defaultLimits)
  t.equal(faults.length, 5)
  t.match(faults.join('\n'), /qc\.temperature_c must be a range such as -40\.\.60 or off, not "20"/)
  t.match(faults.join('\n'), /qc\.humidity is no limit \(qc\.temperature_c, /)
})

t.test('a label named like a part of every object is no limit', async t => {
  t.equal(limitsOf({ 'qc.__proto__': '1', 'qc.constructor': 'off' }).faults.length, 2)
})
