import { type Database } from '../../bridge/database.ts'
import { type SentRow } from '../../lib/faulty-database/request.ts'
import { type Counters } from '../../schemas/delivery.ts'
import { select } from './bridge.ts'

/** A delivery as it was given to the inbox. `readings` is empty for one that no decoder takes, which counts as one. */
export interface SentDelivery {
  readonly device: string
  readonly boot: number
  readonly readings: ReadonlyArray<{ readonly seq: number, readonly temperatureC: number }>
  /** Base64. */
  readonly payload: string
}

interface TableRow { readonly device_id: string, readonly boot: number, readonly seq: number, readonly gateway: string, readonly delivery: number, readonly temperature_c: number }
interface LetterRow { readonly payload: string, readonly delivery: number, readonly times: number, readonly readings: number, readonly seqs: string, readonly gateway: string }

type Ends = Record<'received' | 'stored' | 'duplicate' | 'dead', number>

/**
 * Writes down what was given to the inbox and which rows were refused alone, and afterwards finds the end of every single row in the tables by itself. It
 * asks no part of the bridge: what it finds amiss is a broken promise, whoever broke it.
 */
export class WriterOracle {
  readonly #gateway: string
  /** By delivery number: the inbox counts them from 1. */
  readonly #sent: SentDelivery[] = []
  readonly #times = new Map<string, number>()
  /** Keys of rows that were refused when they were alone. */
  readonly #refused = new Set<string>()

  constructor (gateway: string) {
    this.#gateway = gateway
  }

  get deliveries (): number { return this.#sent.length }

  hasPayload (payload: string): boolean { return this.#times.has(payload) }

  sent (delivery: SentDelivery): void {
    this.#sent.push(delivery)
    this.#times.set(delivery.payload, (this.#times.get(delivery.payload) ?? 0) + 1)
  }

  refused ({ device_id: device, boot, seq }: SentRow): void {
    this.#refused.add(`${device}/${boot}/${seq}`)
  }

  /** What is amiss, in words; nothing when every row has one true end and the counters say so. At most 20 lines. */
  async faults (database: Database, counters: ReadonlyMap<string, Counters>, isAlwaysRefused: (temperatureC: number) => boolean): Promise<string[]> {
    const rows = await select<TableRow>(database, 'readings', 'device_id, boot, seq, gateway, delivery, temperature_c')
    const letters = await select<LetterRow>(database, 'dead_letters', 'payload, delivery, times, readings, seqs, gateway')
    const faults: string[] = []
    const table = this.#tableOf(rows, faults)
    const ends = this.#endsOf(table, letters, isAlwaysRefused, faults)
    for (const [device, end] of ends) {
      for (const [name, count] of Object.entries(end)) if (counters.get(device)?.[name as keyof Ends] !== count) faults.push(`${device}: ${name} is ${count}, counted ${counters.get(device)?.[name as keyof Ends]}`)
    }
    return faults.slice(0, 20)
  }

  /** The rows by key; each has to be one that was sent, once, as it was sent. */
  #tableOf (rows: readonly TableRow[], faults: string[]): Map<string, TableRow> {
    const table = new Map<string, TableRow>()
    for (const row of rows) {
      const key = `${row.device_id}/${row.boot}/${row.seq}`
      if (table.has(key)) faults.push(`${key} is in the table twice`)
      table.set(key, row)
      if (row.gateway !== this.#gateway) continue
      const sent = this.#sent[row.delivery - 1]
      const reading = sent?.readings.find(({ seq }) => seq === row.seq)
      if (sent?.device !== row.device_id || sent.boot !== row.boot || reading?.temperatureC !== row.temperature_c) faults.push(`${key} of delivery ${row.delivery} was never sent so`)
    }
    return table
  }

  #endsOf (table: ReadonlyMap<string, TableRow>, letters: readonly LetterRow[], isAlwaysRefused: (temperatureC: number) => boolean, faults: string[]): Map<string, Ends> {
    const byPayload = new Map(letters.map(letter => [letter.payload, letter]))
    // fewer: repeats that a crash left open may count as one (docs/DELIVERY.md)
    for (const letter of letters) if (letter.times < 1 || letter.times > this.#times.get(letter.payload)!) faults.push(`the letter of delivery ${letter.delivery} came ${this.#times.get(letter.payload)} times, and says ${letter.times}`)
    const ends = new Map<string, Ends>()
    for (const [n, { device, boot, readings, payload }] of this.#sent.entries()) {
      const number = n + 1
      const end = ends.get(device) ?? { received: 0, stored: 0, duplicate: 0, dead: 0 }
      ends.set(device, end)
      const letter = byPayload.get(payload)
      end.received += Math.max(1, readings.length)
      if (readings.length === 0) {
        end.dead++
        if (letter === undefined) faults.push(`delivery ${number} cannot be decoded, and has no letter`)
        continue
      }
      const isDead = readings.map(({ seq }) => letter !== undefined && (JSON.parse(letter.seqs) as number[][]).some(([, from, to]) => from! <= seq && to! >= seq))
      if (letter !== undefined && letter.readings !== isDead.filter(Boolean).length) faults.push(`the letter of delivery ${number} says ${letter.readings} readings and names others: ${letter.seqs}`)
      for (const [at, { seq, temperatureC }] of readings.entries()) {
        const row = table.get(`${device}/${boot}/${seq}`)
        const isStored = row?.gateway === this.#gateway && row.delivery === number
        const name = `${device}/${boot}/${seq} of delivery ${number}`
        if (isStored && isDead[at]) faults.push(`${name} is stored and dead`)
        if (row === undefined && !isDead[at]) faults.push(`${name} has no end`)
        if (row !== undefined && isAlwaysRefused(temperatureC)) faults.push(`${name} is in the table, which refuses it`)
        if (isDead[at] && !isAlwaysRefused(temperatureC) && !this.#refused.has(`${device}/${boot}/${seq}`)) faults.push(`${name} is dead, and nobody refused it`)
        end[isStored ? 'stored' : isDead[at] ? 'dead' : 'duplicate']++
      }
    }
    return ends
  }
}
