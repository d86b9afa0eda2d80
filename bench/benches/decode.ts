import { createMessages } from '../messages.ts'
import { type Bench, type Figures } from '../figures.ts'
import { checkTelemetry, decodeTelemetry } from '../../schemas/telemetry-decode.ts'

const repeats = 300_000

/** The strict decoder alone, on the bytes that the load sends. */
export const decode: Bench = {
  name: 'decode',
  about: 'the decoder of untrusted telemetry, ns a reading',
  run: async () => {
    const figures: Figures = {}
    for (const rows of [1, 100]) {
      const payload = payloadOf(rows)
      figures[`decode, ${rows} in a message, ns/reading`] = nanosecondsEach(() => decodeTelemetry(payload).ok, repeats / rows) / rows
      figures[`check, ${rows} in a message, ns/reading`] = nanosecondsEach(() => checkTelemetry(payload).ok, repeats / rows) / rows
    }
    return figures
  }
}

function payloadOf (rows: number): Uint8Array {
  const topic = 'iot/v1/load-0/tele'
  const { bytes } = createMessages({ topics: [topic], boot: 0x9f3c1a2b, rowsPerMessage: rows, seed: 1 }).block(1000, 1, Date.now())
  return bytes.subarray(bytes.indexOf(topic) + topic.length + 2) // behind the topic stands the packet id
}

function nanosecondsEach (once: () => boolean, times: number): number {
  for (let n = 0; n < times; n++) if (!once()) throw new Error('the payload of the bench is not valid')
  const startedMs = performance.now()
  for (let n = 0; n < times; n++) once()
  return (performance.now() - startedMs) * 1e6 / times
}
