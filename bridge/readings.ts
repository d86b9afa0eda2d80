import { columns, keyColumns, type Row } from '../schemas/row.ts'
import { arrayLiteral } from './array-literal.ts'
import { type Database } from './database.ts'

/** The statements on the table `readings`. Each resolves with what the database says, and rejects with its error. */
export interface Readings {
  /** Inserts new rows. `rowCount` of all rows proves that all are new and written; less is a question. Keys must be unique, and sorted: else two inserts deadlock. */
  insert (rows: readonly Row[]): Promise<number>
  /** Inserts one row by VALUES, the only form in which CrateDB gives the reason for a row that it does not take. */
  insertOne (row: Row): Promise<number>
  /** Which inbox entry brought the row that the table has for each key; undefined where it has none. */
  lookUp (rows: readonly Row[]): Promise<Array<Origin | undefined>>
}

export interface Origin {
  readonly gateway: string
  readonly delivery: number
}

const names = columns.map(({ name }) => name).join(', ')
const arrays = columns.map(({ type }, n) => `$${n + 1}::${type}[]`).join(', ')
const values = columns.map(({ type }, n) => `$${n + 1}::${type}`).join(', ')

export function createReadings ({ dialect, table, query }: Database): Readings {
  const readings = table('readings')
  const onConflict = `ON CONFLICT (${dialect.readingsKey.join(', ')}) DO NOTHING`
  const insert = `INSERT INTO ${readings} (${names}) (SELECT u.* FROM unnest(${arrays}) AS u (${names})) ${onConflict}`
  const insertOne = `INSERT INTO ${readings} (${names}) VALUES (${values}) ${onConflict}`
  const lookUp = dialect.lookUp(readings)
  const refresh = dialect.refresh(readings)

  return {
    insert: async rows => (await query(insert, columns.map(column => arrayLiteral(rows, column)))).rowCount,
    insertOne: async row => (await query(insertOne, columns.map(({ type, of }) => type === 'timestamptz' ? iso(of(row) as number) : of(row)))).rowCount,
    lookUp: async rows => {
      if (refresh !== null) await query(refresh)
      const found = await query<Origin & { place: number }>(lookUp, [
        arrayLiteral([...rows.keys()], { type: 'integer', of: place => place }),
        ...keyColumns.map(column => arrayLiteral(rows, column)),
        iso(rows.reduce((least, { ts }) => Math.min(least, ts), Infinity)),
        iso(rows.reduce((greatest, { ts }) => Math.max(greatest, ts), -Infinity))
      ])
      const origins = new Array<Origin | undefined>(rows.length)
      for (const { place, gateway, delivery } of found.rows) origins[place] = { gateway, delivery }
      return origins
    }
  }
}

function iso (ms: number): string {
  return new Date(ms).toISOString()
}
