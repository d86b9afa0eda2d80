import { type Bench, type Figures } from '../figures.ts'
import { committedRate } from './end-to-end.ts'

/** The cost a row must not grow with the number of devices. */
export const flat: Bench = {
  name: 'flat',
  about: 'rows a second with 10, 1,000 and 50,000 devices',
  run: async () => {
    const figures: Figures = {}
    for (const devices of [10, 1_000, 50_000]) {
      const connections = Math.min(50, devices)
      const { rowsPerSecond } = await committedRate({ connections, devicesPerConnection: devices / connections, rowsPerMessage: 1, messages: 400_000 })
      figures[`${devices} devices, rows/s`] = rowsPerSecond
    }
    return figures
  }
}
