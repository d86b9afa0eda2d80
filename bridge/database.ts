import pg from 'pg'
import { codeOf, IsobarError, textOf } from '../lib/errors.ts'
import { maskSecret } from '../lib/config.ts'
import { type Logger } from '../lib/log.ts'
import { detectDialect } from './dialect/detect.ts'
import { type Dialect } from './dialect/dialect.ts'
import { postgres } from './dialect/postgres.ts'

export interface DatabaseOptions {
  /** One URL, or several with commas between: the nodes of one cluster. `crate://` is the PostgreSQL protocol of a CrateDB. */
  readonly url: string
  /** Default: the dialect's. */
  readonly schema?: string | undefined
  readonly statementTimeoutMs: number
  /** Connections to each node. */
  readonly poolSize: number
  /** The dialect of a server, by what `SELECT version()` says. Default: as that names the server. */
  readonly dialectOf?: (version: string) => Dialect
}

export interface QueryResult<R> {
  /** Rows written or found; 0 where the database does not count. */
  readonly rowCount: number
  readonly rows: R[]
}

/** Sends one statement. Rejects with pg's error, or Node's; `dialect.faultOf` says what it means. */
export type Query = <R = Record<string, unknown>>(text: string, values?: readonly unknown[]) => Promise<QueryResult<R>>

/** The database of the tables: bigint arrives as a number, timestamptz as a Date, and each statement goes to the next node. */
export interface Database {
  readonly dialect: Dialect
  /** What `SELECT version()` said. */
  readonly version: string
  readonly schema: string
  /** The name of a table or view with its schema, quoted. */
  table (name: string): string
  readonly query: Query
  /** Runs statements on one connection, which is closed after an error. */
  session<T> (use: (query: Query) => Promise<T>): Promise<T>
  close (): Promise<void>
}

/**
 * Connects, and asks the server which database it is.
 * @throws IsobarError ISO_DATABASE_UNREACHABLE (or _LOGIN, _BUSY, … as the server answers), when no node can be used now
 */
export async function openDatabase (options: DatabaseOptions, log: Logger): Promise<Database> {
  const nodes = new Nodes(options, log)
  try {
    const { rows } = await nodes.session(async query => await query<{ version: string }>('SELECT version() AS version'))
    const version = rows[0]!.version
    const dialect = (options.dialectOf ?? detectDialect)(version)
    const schema = options.schema ?? dialect.defaultSchema
    return {
      dialect,
      version: version.split(/[ (]+/).slice(0, 2).join(' '),
      schema,
      table: name => `"${schema}".${name}`,
      query: async (text, values) => await nodes.session(async query => await query(text, values)),
      session: async use => await nodes.session(use, { isInOrder: () => false }), // a transaction may be open, also when ROLLBACK was refused
      close: async () => await nodes.close()
    }
  } catch (error) {
    await nodes.close()
    const fault = postgres.faultOf(error)
    if (fault === null) throw error
    throw new IsobarError(fault.code === 'ISO_WRITE_ROW_REFUSED' ? 'ISO_DATABASE_SETUP' : fault.code, { detail: `${maskSecret(options.url)} (CRATE_URL): ${reasonOf(error)}`, cause: error })
  }
}

/** What is wrong, also when Node tried each address of a name and leaves the outer message empty. */
function reasonOf (error: unknown): string {
  if (error instanceof AggregateError && textOf(error) === '') return error.errors.map(textOf).join('; ')
  return textOf(error) === '' ? codeOf(error) : textOf(error)
}

/** A node that could not be connected to is left alone for so long, while another one can be. */
const restMs = 5_000
const connectTimeoutMs = 10_000
/** CrateDB answers a statement that ran out of time up to a minute late; the client's own limit must lie above. */
const answerTimeoutMs = 90_000

interface Node {
  readonly pool: pg.Pool
  restUntilMs: number
}

/** A pool a node, asked in turn: pg knows no lists of hosts, and every CrateDB node takes every statement. */
class Nodes {
  readonly #nodes: readonly Node[]
  #turn = 0

  constructor ({ url, statementTimeoutMs, poolSize }: DatabaseOptions, log: Logger) {
    this.#nodes = url.split(',').map(nodeUrl => {
      const pool = new pg.Pool({
        connectionString: connectionString(nodeUrl),
        max: poolSize,
        options: `-c statement_timeout=${statementTimeoutMs} -c application_name=isobar`, // CrateDB ignores pg's own keys for these
        query_timeout: statementTimeoutMs + answerTimeoutMs,
        connectionTimeoutMillis: connectTimeoutMs,
        keepAlive: true,
        maxLifetimeSeconds: 600, // the load spreads again when a node is back
        types
      })
      pool.on('error', error => log.debug({ err: error }, 'an idle database connection ended'))
      pool.on('connect', client => client.on('error', error => log.debug({ err: error }, 'a database connection ended'))) // the pool listens to idle ones only; the query under way rejects by itself
      return { pool, restUntilMs: 0 }
    })
  }

  /** @param isInOrder whether the connection can be used after this error */
  async session<T> (use: (query: Query) => Promise<T>, { isInOrder = isAnswer }: { isInOrder?: (error: unknown) => boolean } = {}): Promise<T> {
    const client = await this.#connect()
    try {
      const result = await use(async (text, values) => {
        const { rowCount, rows } = await client.query(text, values as unknown[])
        return { rowCount: rowCount ?? 0, rows }
      })
      client.release()
      return result
    } catch (error) {
      client.release(!isInOrder(error))
      throw error
    }
  }

  async #connect (): Promise<pg.PoolClient> {
    const node = this.#next()
    try {
      return await node.pool.connect()
    } catch (error) {
      node.restUntilMs = performance.now() + restMs
      throw error
    }
  }

  /** The next node in turn that does not rest; the next one when all do. */
  #next (): Node {
    const now = performance.now()
    const inTurn = this.#nodes.map((_, n) => this.#nodes[(this.#turn + n) % this.#nodes.length]!)
    const node = inTurn.find(({ restUntilMs }) => restUntilMs <= now) ?? inTurn[0]!
    this.#turn = (this.#nodes.indexOf(node) + 1) % this.#nodes.length
    return node
  }

  async close (): Promise<void> {
    await Promise.all(this.#nodes.map(async ({ pool }) => await pool.end()))
  }
}

/** The URL as pg knows it: CrateDB's own scheme is the PostgreSQL protocol, with CrateDB's superuser when no user is named. */
function connectionString (nodeUrl: string): string {
  if (!nodeUrl.startsWith('crate:')) return nodeUrl
  const url = new URL(nodeUrl.replace('crate:', 'postgres:'))
  if (url.username === '') url.username = 'crate'
  return url.href
}

function isAnswer (error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity !== 'FATAL'
}

/** bigint as a number: every bigint here is a counter, a seq or a boot, below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format?: 'text' | 'binary') =>
    id === pg.types.builtins.INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(id, format)) as typeof pg.types.getTypeParser
}
