import { elementValue, joinArray, splitArray } from './array-literal.ts'
import { readBind, readParse, writeBind, type Frame } from './wire.ts'

/** A row of an insert as the client sent it: column name -> text, null for NULL. */
export type SentRow = Readonly<Record<string, string | null>>

/**
 * All that a client sends up to one Sync (or one simple Query): a statement with its parameters. `rows` are those of an
 * `INSERT … (columns) … unnest(…) AS u (names)`, by those names; of a call of a function `insert_<table> (column => $1::type[], …)`; or of a single-row
 * `INSERT … VALUES`; empty for every other statement.
 */
export interface Request {
  readonly frames: readonly Frame[]
  readonly sql: string
  readonly kind: 'bulk insert' | 'single insert' | 'other'
  readonly table: string
  readonly rows: readonly SentRow[]
  /** So many of the first parameters are arrays with an element a row; those behind them are the same for all rows. */
  readonly arrays: number
}

/** Puts frames together into requests; remembers the named statements of its connection. */
export class RequestReader {
  readonly #statements = new Map<string, string>()
  #frames: Frame[] = []

  /** The request that this frame completes. */
  push (frame: Frame): Request | undefined {
    if (frame.type === 'P') {
      const { name, sql } = readParse(frame.bytes)
      this.#statements.set(name, sql)
    }
    this.#frames.push(frame)
    if (frame.type !== 'S' && frame.type !== 'Q') return undefined
    const frames = this.#frames
    this.#frames = []
    return describe(frames, name => this.#statements.get(name) ?? '')
  }
}

function describe (frames: readonly Frame[], textOf: (statement: string) => string): Request {
  const last = frames.at(-1)!
  if (last.type === 'Q') return { frames, sql: last.bytes.toString('utf8', 5, last.bytes.length - 1), kind: 'other', table: '', rows: [], arrays: 0 }
  const bind = frames.find(frame => frame.type === 'B')
  const parse = frames.find(frame => frame.type === 'P')
  const sql = bind !== undefined ? textOf(readBind(bind.bytes).statement) : parse !== undefined ? readParse(parse.bytes).sql : ''
  const insert = readInsert(sql)
  if (bind === undefined || insert === null) return { frames, sql, kind: 'other', table: '', rows: [], arrays: 0 }
  const { kind, table, columns } = insert
  const parameters = readBind(bind.bytes).parameters.map(value => value?.toString('utf8') ?? null)
  if (kind === 'single insert') return { frames, sql, kind, table, rows: [rowOf(columns, parameters)], arrays: 0 }
  return { frames, sql, kind, table, rows: bulkRows(columns, parameters.slice(0, columns.length)), arrays: columns.length }
}

function readInsert (sql: string): Pick<Request, 'table'> & { readonly kind: 'bulk insert' | 'single insert', readonly columns: readonly string[] } | null {
  const [, called, named] = /\bFROM\s+(?:[\w"]+\.)?insert_(\w+)\s*\(([^()]*=>[^()]*)\)/i.exec(sql) ?? []
  if (called !== undefined) return { kind: 'bulk insert', table: called, columns: named!.split(',').map(argument => argument.split('=>')[0]!.trim()) }
  const [, table, columns] = /^\s*INSERT\s+INTO\s+([\w."]+)\s*\(([^)]*)\)/i.exec(sql) ?? []
  if (table === undefined) return null
  const [, unnested] = /\bunnest\s*\([^()]*\)\s*AS\s+\w+\s*\(([^)]*)\)/i.exec(sql) ?? [] // not all columns have to come from arrays, nor in their order
  return {
    kind: unnested === undefined ? 'single insert' : 'bulk insert',
    table: table.split('.').at(-1)!.replaceAll('"', ''),
    columns: (unnested ?? columns!).split(',').map(name => name.trim().replaceAll('"', ''))
  }
}

function bulkRows (columns: readonly string[], parameters: ReadonlyArray<string | null>): SentRow[] {
  const arrays = parameters.map(literal => literal === null ? [] : splitArray(literal))
  return (arrays[0] ?? []).map((_, n) => rowOf(columns, arrays.map(array => elementValue(array[n] ?? 'NULL'))))
}

function rowOf (columns: readonly string[], values: ReadonlyArray<string | null>): SentRow {
  return Object.fromEntries(columns.map((column, n) => [column, values[n] ?? null]))
}

/** The bytes of a bulk insert without some of its rows; they never reach the server, and its count is lower by as many. */
export function withoutRows (request: Request, dropped: (row: SentRow) => boolean): Buffer {
  const keep = request.rows.map(row => !dropped(row))
  return Buffer.concat(request.frames.map(frame => {
    if (frame.type !== 'B') return frame.bytes
    const bind = readBind(frame.bytes)
    const parameters = bind.parameters.map((value, n) => value === null || n >= request.arrays ? value : Buffer.from(joinArray(splitArray(value.toString('utf8')).filter((_, n) => keep[n]))))
    return writeBind({ ...bind, parameters })
  }))
}
