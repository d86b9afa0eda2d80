import { type Test } from 'tap'
import { type Placed, type OpenRow } from '../../bridge/enrich.ts'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { migrate } from '../../bridge/migrate.ts'
import { createLog } from '../../lib/log.ts'
import { type Delivery } from '../../schemas/delivery.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { type Reading } from '../../schemas/telemetry.ts'
import { type DeviceId } from '../../schemas/topics.ts'

/** The wall time of these tests' readings, epoch ms: 2026-09-21T14:13:20Z. */
export const testNow = 1_790_000_000_000

export interface RowOver extends Partial<Omit<OpenRow, 'deviceId'>> { readonly deviceId?: string }

/** A row of `dev-1`, second `seq` of boot 7. */
export function openRow ({ deviceId = 'dev-1', seq = 0, ...over }: RowOver = {}): OpenRow {
  return {
    deviceId: deviceId as DeviceId,
    ts: testNow + seq * 1000,
    boot: 7,
    seq,
    receivedAt: testNow,
    temperatureC: 21.5,
    pressureHpa: 988.25,
    quality: 2,
    flags: 0,
    site: null,
    room: null,
    altitudeM: null,
    gateway: 'test-00000001',
    delivery: 1,
    end: null,
    firstSent: 0,
    drops: 0,
    ...over
  }
}

/** Rows of `dev-1` with the seqs `first` and on. */
export function openRows (count: number, over: RowOver = {}): OpenRow[] {
  return Array.from({ length: count }, (_, n) => openRow({ ...over, seq: (over.seq ?? 0) + n }))
}

export interface DeliveryOver extends Partial<Omit<Delivery, 'deviceId'>> { readonly deviceId?: string }

/** A telemetry delivery of `dev-1` whose payload holds the readings: one a second from testNow on. */
export function teleDelivery ({ count = 1, seq = 0, boot = 7, ts = testNow + seq * 1000, ...over }: DeliveryOver & { count?: number, seq?: number, boot?: number, ts?: number } = {}): Delivery {
  const readings = Array.from({ length: count }, (_, n): Reading => ({ seq: seq + n, ts: ts + n * 1000, temperatureDeciC: 215, pressurePa: 98_825 }))
  return rawDelivery({ readings: count, payload: encodeTelemetry({ boot, clock: 0, status: 0, readings }), ...over })
}

/** A delivery with any payload. */
export function rawDelivery ({ deviceId = 'dev-1', kind = 'tele', ...over }: DeliveryOver = {}): Delivery {
  return {
    number: 1,
    deviceId: deviceId as DeviceId,
    kind,
    topic: `iot/v1/${deviceId}/${kind}`,
    clientId: deviceId,
    receivedAt: testNow,
    readings: kind === 'tele' ? 1 : 0,
    payload: new Uint8Array(),
    replayOf: null,
    ...over
  }
}

/** A delivery that was decoded and enriched to these rows. */
export function placedOf (delivery: Delivery, rows: readonly OpenRow[], over: Partial<Placed> = {}): Placed {
  return { delivery, state: null, birth: null, rejection: null, rows, ...over }
}

let schemas = 0

/** A database with the tables, in a schema of its own. It is taken away from a CrateDB; a PostgreSQL goes with its test file. */
export async function openTestSchema (t: Test, url: string): Promise<Database> {
  const log = createLog('silent')
  const database = await openDatabase({ url, schema: `bridge_${process.pid}_${++schemas}`, statementTimeoutMs: 30_000, poolSize: 6 }, log)
  t.teardown(async () => {
    if (database.dialect.name === 'crate') await dropAll(database)
    await database.close()
  })
  await migrate(database, log)
  return database
}

/** Takes away everything that is in the schema of a CrateDB. */
export async function dropAll ({ query, schema, table }: Database): Promise<void> {
  const { rows } = await query<{ table_name: string, table_type: string }>('SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = $1', [schema])
  for (const { table_name: name, table_type: type } of rows) await query(`DROP ${type === 'VIEW' ? 'VIEW' : 'TABLE'} IF EXISTS ${table(name)}`)
}

/** The rows of a query, after everything written before is visible. */
export async function select<R = Record<string, unknown>> (database: Database, table: string, what: string, rest = ''): Promise<R[]> {
  for (const name of ['readings', 'devices', 'placements', 'dead_letters', 'books']) {
    const refresh = database.dialect.refresh(database.table(name))
    if (refresh !== null) await database.query(refresh)
  }
  return (await database.query<R>(`SELECT ${what} FROM ${database.table(table)} ${rest}`)).rows
}
