import pg from 'pg'
import { connectionFault } from '../bridge/dialect/dialect.ts'
import { postgres } from '../bridge/dialect/postgres.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { type Table } from './value.ts'

export interface SqlOptions {
  /** One URL, or the nodes of a cluster with commas between: the first that answers is asked. */
  readonly url: string
  /** What unqualified names belong to; the database's own default when it is not given. */
  readonly schema: string | undefined
  readonly statementTimeoutMs: number
  /** Gets what the database says beside the result. */
  readonly onNotice: (text: string) => void
}

/** What one statement gave: a table, or nothing but its command and count (`INSERT 3`). */
export interface SqlResult {
  readonly tag: string
  readonly table: Table | null
}

/**
 * Runs SQL text of the operator, one or several statements, and returns all that they give, in RAM.
 * @throws IsobarError ISO_SQL_REFUSED with the SQLSTATE, ISO_DATABASE_UNREACHABLE, ISO_DATABASE_LOGIN
 */
export async function runSql (text: string, options: SqlOptions): Promise<readonly SqlResult[]> {
  const client = await connect(options)
  client.on('notice', notice => options.onNotice(`${notice.severity ?? 'NOTICE'}: ${notice.message}`))
  try {
    if (options.schema !== undefined) await client.query(`SET search_path TO "${options.schema}"`)
    const results: pg.QueryArrayResult | pg.QueryArrayResult[] = await client.query({ text, rowMode: 'array', types })
    return [results].flat().map(resultOf)
  } catch (error) {
    throw refusal(error)
  } finally {
    await client.end()
  }
}

async function connect ({ url, statementTimeoutMs }: SqlOptions): Promise<pg.Client> {
  const reasons: string[] = []
  for (const node of url.split(',')) {
    const client = new pg.Client({
      connectionString: node.replace(/^crate:/, 'postgres:'),
      options: `-c statement_timeout=${statementTimeoutMs} -c application_name=isobar-sql`,
      connectionTimeoutMillis: 10_000
    })
    client.on('error', () => {}) // a connection that breaks rejects the query under way, and that is the error to tell
    try {
      await client.connect()
      return client
    } catch (error) {
      const fault = postgres.faultOf(error) // CrateDB refuses a login with the same codes
      if (fault === null) throw error
      if (fault.code !== 'ISO_DATABASE_UNREACHABLE') throw new IsobarError(fault.code, { detail: textOf(error), cause: error })
      reasons.push(reasonOf(error))
    }
  }
  throw new IsobarError('ISO_DATABASE_UNREACHABLE', { detail: reasons.join('; ') })
}

/** Node tries each address of a name and leaves the outer message empty. */
function reasonOf (error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(textOf).join('; ') : textOf(error)
}

function resultOf ({ command, rowCount, fields, rows }: pg.QueryArrayResult): SqlResult {
  const tag = [command ?? '', rowCount ?? ''].join(' ').trim()
  return { tag, table: fields.length === 0 ? null : { columns: fields.map(({ name }) => name), rows } }
}

function refusal (error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) {
    const fault = connectionFault(error)
    return fault === null ? error : new IsobarError(fault.code, { detail: textOf(error), cause: error })
  }
  const { message, code, position, detail, hint } = error
  const where = position === undefined ? '' : `, at character ${position}`
  const more = [detail, hint].filter(text => text !== undefined).map(text => `\n${text}`).join('')
  return new IsobarError('ISO_SQL_REFUSED', { detail: `${message} (SQLSTATE ${code}${where})${more}`, cause: error })
}

/** What a parsed value would lose stays as the database prints it: times without zone, whole numbers beyond 2^53, decimals beyond 15 digits. */
const asPrinted: ReadonlySet<number> = new Set([pg.types.builtins.DATE, pg.types.builtins.TIME, pg.types.builtins.TIMETZ, pg.types.builtins.TIMESTAMP, pg.types.builtins.INTERVAL])

const types: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format?: 'text' | 'binary') => {
    if (id === pg.types.builtins.INT8) return wholeNumber
    if (id === pg.types.builtins.NUMERIC) return decimal
    return asPrinted.has(id) ? (text: string) => text : pg.types.getTypeParser(id, format)
  }) as typeof pg.types.getTypeParser
}

function wholeNumber (text: string): number | bigint {
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text)
}

function decimal (text: string): number | string {
  const digits = text.replace(/^-?0*\.?0*|\.?0*$/g, '').replace('.', '')
  return /^-?[\d.]+$/.test(text) && digits.length <= 15 ? Number(text) : text
}
