import { type Client } from 'pg'
import { type AckedMessage } from '../../bench/load.ts'

/**
 * Keeps its own account of every PUBACK and then asks the database, row by row. It shares no code with the gateway: what it finds missing
 * or doubled is a broken promise, whoever broke it.
 */
export class Oracle {
  readonly #acked = new Set<string>()
  #waiting: { readings: number, resolve: () => void } | null = null

  readonly acked = ({ deviceId, boot, firstSeq, rows }: AckedMessage): void => {
    for (let n = 0; n < rows; n++) this.#acked.add(`${deviceId}/${boot}/${firstSeq + n}`)
    if (this.#waiting !== null && this.#acked.size >= this.#waiting.readings) this.#waiting.resolve()
  }

  get readings (): number { return this.#acked.size }

  /** Resolves when so many readings have been acknowledged. */
  async reached (readings: number): Promise<void> {
    if (this.#acked.size < readings) await new Promise<void>(resolve => { this.#waiting = { readings, resolve } })
  }

  /** Acknowledged readings that are not in the table, and readings that are there twice (whatever their time). */
  async verdict (database: Client, table = 'readings'): Promise<{ missing: string[], doubled: string[] }> {
    const { rows } = await database.query<{ key: string, times: number }>(
      `SELECT device_id || '/' || boot::text || '/' || seq::text AS key, count(*)::integer AS times FROM ${table} GROUP BY device_id, boot, seq`)
    const stored = new Set(rows.map(row => row.key))
    return {
      missing: [...this.#acked].filter(key => !stored.has(key)).slice(0, 20),
      doubled: rows.filter(row => row.times > 1).map(row => row.key).slice(0, 20)
    }
  }
}
