import { type Bench, type Figures } from '../figures.ts'
import { committedRate } from './end-to-end.ts'

const backlog = 1_000_000

/** What a row costs must grow neither with the number of devices nor with what waits. */
export const flat: Bench = {
  name: 'flat',
  about: 'rows a second with 10, 1,000 and 50,000 devices, with an empty inbox and behind a backlog of 1,000,000 messages',
  run: async () => {
    const figures: Figures = {}
    for (const devices of [10, 1_000, 50_000]) {
      const connections = Math.min(50, devices)
      const shape = { connections, devicesPerConnection: devices / connections, rowsPerMessage: 1, messages: 400_000 }
      figures[`${devices} devices, backlog 0, rows/s`] = (await committedRate(shape)).rowsPerSecond
      figures[`${devices} devices, backlog 1,000,000, rows/s`] = (await committedRate(shape, backlog)).rowsPerSecond
    }
    return figures
  }
}
