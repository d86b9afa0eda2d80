import { type Test } from 'tap'
import { openDatabase, type Database } from '../../bridge/database.ts'
import { type Dialect } from '../../bridge/dialect/dialect.ts'
import { InboxSource } from '../../bridge/inbox-source.ts'
import { BridgeRun } from '../../bridge/run.ts'
import { type Inbox } from '../../inbox/inbox.ts'
import { openInboxReader, type InboxReader } from '../../inbox/reader.ts'
import { realClock, type Clock } from '../../lib/clock.ts'
import { FaultyDatabase } from '../../lib/faulty-database/faulty-database.ts'
import { createLog } from '../../lib/log.ts'
import { type LetterNotice } from '../../schemas/dead-letter.ts'
import { loadSettings, type Settings } from '../../schemas/settings.ts'
import { unpackSettled, type BridgeSettings, type LetterNotices } from '../../schemas/thread.ts'
import { dropAll } from './bridge.ts'
import { openTestInbox, testInboxDir } from './inbox.ts'

/** A bridge from a real inbox to a real database, behind a proxy that fails by script. */
export interface TestBridge {
  readonly inbox: Inbox
  readonly bridge: BridgeRun
  readonly database: Database
  readonly proxy: FaultyDatabase
  /** What senders were told of their dead letters. */
  readonly notices: ReadonlyArray<LetterNotice & { readonly device: string }>
  /** Ends the bridge as `drain` does. */
  stop (): Promise<void>
  /** Ends it as a crash between commit and settlement does: what it says is not heard. A new one starts on the same inbox. */
  crash (): Promise<void>
  /** Ends it as `drain` does, and starts one with another ISOBAR_MAX_AGE. */
  restart (maxReadingAgeMs: number): Promise<void>
  /** Until every reading has its end. */
  settled (): Promise<void>
}

let schemas = 0

export interface TestBridgeOver extends Partial<BridgeSettings['write'] & BridgeSettings['batch']> {
  /** The database cannot be reached at first. */
  readonly refusing?: boolean
  readonly limits?: Partial<Settings['limits']>
  /** ISOBAR_MAX_AGE, in ms. */
  readonly maxReadingAgeMs?: number
  readonly dialectOf?: () => Dialect
  readonly clock?: Clock
}

/** @param url of a database; each bridge has a schema of its own in it */
export async function openTestBridge (t: Test, url: string, { refusing = false, limits = {}, maxReadingAgeMs = 400 * 86_400_000, dialectOf, clock = realClock, ...over }: TestBridgeOver = {}): Promise<TestBridge> {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const proxy = await FaultyDatabase.open(url)
  if (refusing) proxy.refuse()
  const schema = `run_${process.pid}_${++schemas}`
  const database = await openDatabase({ url, schema, statementTimeoutMs: 30_000, poolSize: 2 }, createLog('silent'))
  let settings: BridgeSettings = {
    database: { url: undefined, schema, port: 0 },
    batch: { maxRows: 100, maxBytes: 1e6, maxAgeMs: 5, ...over },
    write: { window: 3, maxAsideRows: 500, statementTimeoutMs: 30_000, ...over },
    telemetry: { maxAgeMs: maxReadingAgeMs },
    track: { maxDevices: 100, maxBoots: 4, maxGaps: 64 },
    limits: { ...loadSettings({}).limits, ...limits }
  }
  const notices: Array<LetterNotice & { device: string }> = []
  const tell = ({ devices, payloads }: LetterNotices): void => {
    for (const [n, device] of devices.entries()) notices.push({ device, ...JSON.parse(payloads[n]!) as LetterNotice })
  }
  const settling = new Set<Promise<void>>()
  const settle = async (settled: Parameters<Inbox['settle']>[0]): Promise<void> => {
    const done = inbox.settle(settled)
    settling.add(done)
    await done.finally(() => settling.delete(done))
  }
  const start = (): { bridge: BridgeRun, stop: AbortController, ended: Promise<void>, deafen: () => void } => {
    const stop = new AbortController()
    let heard = true
    const reader = openInboxReader(dir)
    const source = new InboxSource({
      reader,
      limits: settings.limits,
      clock,
      post: (id, settled) => {
        if (heard) void settle(unpackSettled(structuredClone(settled))).then(() => source.confirmed(id))
        else setImmediate(() => source.confirmed(id))
      }
    })
    inbox.onAppended(next => source.appended(next))
    const bridge = new BridgeRun({ source, inbox: reader, counters: reader.counters, gatewayId: inbox.gatewayId, freshFrom: nextOf(reader), gatewayStartedAt: Date.now(), databaseUrl: proxy.url, dialectOf, settings, tell, clock, log: createLog('silent') })
    return { bridge, stop, deafen: () => { heard = false }, ended: bridge.run(stop.signal, () => {}).finally(async () => await reader.close()) }
  }
  let running = start()
  t.teardown(async () => {
    running.stop.abort()
    proxy.heal()
    await running.ended
    if (database.dialect.name === 'crate') await dropAll(database)
    await database.close()
    await proxy.close()
  })
  return {
    inbox,
    get bridge () { return running.bridge },
    database,
    proxy,
    notices,
    stop: async () => {
      running.stop.abort()
      await running.ended
    },
    crash: async () => {
      running.deafen()
      running.stop.abort()
      await running.ended
      await Promise.all(settling) // as the gateway does
      running = start()
    },
    restart: async maxAgeMs => {
      running.stop.abort()
      await running.ended
      settings = { ...settings, telemetry: { maxAgeMs } }
      running = start()
    },
    settled: async () => {
      while (inbox.totals().pending > 0 || inbox.backlog().deliveries > 0) await realClock.sleep(5)
    }
  }
}

/** Number of the delivery that is received next. */
function nextOf (reader: InboxReader): number {
  const snapshot = reader.snapshot()
  const { next } = snapshot.summary()
  snapshot.close()
  return next
}
