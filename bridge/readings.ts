import { columns, keyColumns, type Row } from '../schemas/row.ts'
import { arrayLiteral } from './array-literal.ts'
import { type Database } from './database.ts'
import { type Origin } from './fate.ts'

/**
 * The statements on the table `readings`. Each resolves with what the database says, and rejects with its error. Keys must be unique within one, and
 * sorted: else two inserts deadlock.
 */
export interface Readings {
  /** Inserts new rows. `rowCount` of all rows proves that all are new and written; less is a question. */
  insert (rows: readonly Row[]): Promise<number>
  /** Inserts new rows, for a little more, and tells which were not written: some of these may be in the table all the same. */
  insertEach (rows: readonly Row[]): Promise<Unwritten[]>
  /** Inserts one row by VALUES, the only form in which CrateDB gives the reason for a row that it does not take. */
  insertOne (row: Row): Promise<number>
  /** Which inbox entry brought the row that the table has for each key; undefined where it has none. */
  lookUp (rows: readonly Row[]): Promise<Array<Origin | undefined>>
}

/** A row that an insert did not write. `refused`: the error that the database gave for it; null: it was silent. */
export interface Unwritten {
  readonly place: number
  readonly refused: Error & { readonly code: string } | null
}

const names = columns.map(({ name }) => name).join(', ')
const arrays = columns.map(({ type }, n) => `$${n + 1}::${type}[]`)
const values = columns.map(({ type }, n) => `$${n + 1}::${type}`).join(', ')

export function createReadings ({ dialect, table, query }: Database): Readings {
  const readings = table('readings')
  const onConflict = `ON CONFLICT (${dialect.readingsKey.join(', ')}) DO NOTHING`
  const insert = `INSERT INTO ${readings} (${names}) (SELECT u.* FROM unnest(${arrays.join(', ')}) AS u (${names})) ${onConflict}`
  const insertOne = `INSERT INTO ${readings} (${names}) VALUES (${values}) ${onConflict}`
  const insertEach = dialect.insertEach.text(insert, readings, columns.map(({ name }) => name), arrays)
  const lookUp = dialect.lookUp(readings)
  const refresh = dialect.refresh(readings)

  return {
    insert: async rows => (await query(insert, columns.map(column => arrayLiteral(rows, column)))).rowCount,
    insertEach: async rows => {
      const { rows: named } = await query<Named>(insertEach, columns.map(column => arrayLiteral(rows, column)))
      return dialect.insertEach.names === 'written' ? allBut(rows, named) : unwrittenOf(rows, named)
    },
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

/** A row of the answer of `insertEach`: see dialect.ts. */
interface Named {
  readonly delivery: number | null
  readonly seq: number
  readonly code?: string | null
  readonly reason?: string | null
}

/** A delivery has one boot, so delivery and seq name a row of a statement. */
function nameOf ({ delivery, seq }: Pick<Named, 'delivery' | 'seq'>): string {
  return `${delivery}/${seq}`
}

function allBut (rows: readonly Row[], written: readonly Named[]): Unwritten[] {
  if (written.length === rows.length) return []
  const names = new Set(written.map(nameOf))
  const others = unexplained(rows).filter(({ place }) => !names.has(nameOf(rows[place]!)))
  return others.length + written.length === rows.length ? others : unexplained(rows)
}

function unwrittenOf (rows: readonly Row[], named: readonly Named[]): Unwritten[] {
  const written = named.find(({ delivery }) => delivery === null)?.seq ?? 0
  if (written === rows.length) return []
  const names = new Map(named.filter(({ delivery }) => delivery !== null).map(name => [nameOf(name), name]))
  const deliveries = new Set(named.map(({ delivery }) => delivery)) // most rows are not asked for their names, which are texts
  const unwritten: Unwritten[] = []
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place]!
    if (!deliveries.has(row.delivery)) continue
    const name = names.get(nameOf(row))
    if (name !== undefined) unwritten.push({ place, refused: name.code == null ? null : Object.assign(new Error(name.reason ?? ''), { code: name.code }) })
  }
  return written + names.size === rows.length && unwritten.length === names.size ? unwritten : unexplained(rows)
}

/** All rows: when the named and the others are not all together, nothing is known of any. */
function unexplained (rows: readonly Row[]): Unwritten[] {
  return rows.map((_, place) => ({ place, refused: null }))
}
