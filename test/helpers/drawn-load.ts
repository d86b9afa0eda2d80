import { type Incoming } from '../../schemas/delivery.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { rawDelivery } from './bridge.ts'
import { type SentDelivery, type WriterOracle } from './writer-oracle.ts'

/** No table of the drawn test takes a temperature from here on. */
export const refusedFromC = 400

const devices = 12
const boots = 2
const base = Date.now() - 3_600_000

/**
 * Draws what devices send: fresh readings, most of them alone; repeats of some, in other messages than the first time; some that the table refuses; and
 * now and then what is no telemetry. Each delivery of telemetry has bytes of its own, so that each has a dead letter of its own.
 */
export class DrawnLoad {
  readonly #random: () => number
  readonly #oracle: WriterOracle
  readonly #next = new Map<string, number>()

  constructor (random: () => number, oracle: WriterOracle) {
    this.#random = random
    this.#oracle = oracle
  }

  /** The next delivery, which the oracle knows. */
  draw (): Incoming {
    const device = `dev-${this.#below(devices)}`
    const boot = 1 + this.#below(boots)
    if (this.#random() < 0.01) return this.#rubbish(device)
    const key = `${device}/${boot}`
    const next = this.#next.get(key) ?? 0
    const isRepeat = next > 0 && this.#random() < 0.15
    const seq = isRepeat ? this.#below(next) : next
    const count = this.#random() < 0.7 ? 1 : 1 + this.#below(9)
    this.#next.set(key, Math.max(next, seq + count))
    return this.#telemetry(device, boot, Array.from({ length: count }, (_, n) => ({ seq: seq + n, temperatureC: temperatureOf(device, boot, seq + n) })))
  }

  #telemetry (device: string, boot: number, readings: SentDelivery['readings']): Incoming {
    const encode = (status: number): Buffer => encodeTelemetry({ boot, clock: 0, status, readings: readings.map(({ seq, temperatureC }) => ({ seq, ts: base + seq * 10, temperatureDeciC: temperatureC * 10, pressurePa: 100_000 })) })
    let status = 8 * this.#below(8_000) // these bits mean nothing
    while (this.#oracle.hasPayload(encode(status).toString('base64'))) status = 8 * this.#below(8_000)
    return this.#incoming({ device, boot, readings, payload: encode(status).toString('base64') })
  }

  #rubbish (device: string): Incoming {
    return this.#incoming({ device, boot: 0, readings: [], payload: Buffer.from(`rubbish of ${device}, ${this.#below(3)}`).toString('base64') })
  }

  #incoming (sent: SentDelivery): Incoming {
    const { device, boot, readings, payload } = sent
    this.#oracle.sent(sent)
    return {
      ...rawDelivery({ deviceId: device, receivedAt: Date.now(), readings: Math.max(1, readings.length), payload: Buffer.from(payload, 'base64') }),
      boot: readings.length === 0 ? null : boot,
      lastSeq: readings.at(-1)?.seq ?? null
    }
  }

  #below (limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}

/** Says the same of a reading however often it is sent; one of a few hundred is out of all bounds. */
function temperatureOf (device: string, boot: number, seq: number): number {
  const hash = Math.imul(Number(device.slice(4)) * 31 + boot * 17 + seq + 1, 0x9E3779B1) >>> 8
  return hash % 300 === 0 ? refusedFromC + hash % 100 : hash % 40
}
