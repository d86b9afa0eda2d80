import { type Test } from 'tap'
import { Access } from '../../broker/access/access.ts'
import { type AccessRules } from '../../broker/access/access-rules.ts'
import { type Journal } from '../../broker/admission.ts'
import { openBroker, type Broker } from '../../broker/broker.ts'
import { listen } from '../../broker/listen/listeners.ts'
import { type StoredTopic } from '../../broker/stored.ts'
import { realClock, type Clock } from '../../lib/clock.ts'
import { type Incoming } from '../../schemas/delivery.ts'
import { loadSettings, type Settings } from '../../schemas/settings.ts'
import { encodeTelemetry, type Reading } from '../../schemas/telemetry.ts'
import { Topics } from '../../schemas/topics.ts'
import { createTestLog, type LogLine } from './log.ts'
import { connectRaw, type ConnectFields, type RawClient } from './raw-mqtt.ts'

/** A journal in memory whose "disk" a test holds: nothing is flushed until `flush`, or at once after `flushByItself`. */
export class TestJournal implements Journal {
  /** Every delivery so far, in order. */
  readonly appended: Incoming[] = []
  full: object | null = null
  #open: Array<() => void> = []
  #byItself = false
  #listeners: Array<(full: object | null) => void> = []
  #news: () => void = () => {}

  append (incoming: Incoming, flushed: () => void): void {
    this.appended.push({ ...incoming, payload: Uint8Array.from(incoming.payload) })
    this.#open.push(flushed)
    if (this.#byItself && this.full === null && this.#open.length === 1) setImmediate(() => this.flush())
    this.#news()
  }

  /** Devices of what was appended. */
  counters (): ReadonlySet<string> {
    return new Set(this.appended.map(({ deviceId }) => deviceId))
  }

  onFullChanged (listener: (full: object | null) => void): void {
    this.#listeners.push(listener)
  }

  /** Deliveries that are not flushed. */
  get unflushed (): number { return this.#open.length }

  /** Brings the oldest `count` of what was appended to disk. */
  flush (count = this.#open.length): void {
    for (const flushed of this.#open.splice(0, count)) flushed()
  }

  /** From now on every delivery is flushed in the turn after it came, unless the journal is full. */
  flushByItself (): void {
    this.#byItself = true
    this.flush()
  }

  setFull (full: boolean): void {
    this.full = full ? { cause: 'bytes', detail: 'a test says so' } : null
    for (const listener of this.#listeners) listener(this.full)
    if (!full && this.#byItself) this.flush()
  }

  /** Resolves when at least `count` deliveries were appended, in all. */
  async hasAppended (count: number): Promise<void> {
    while (this.appended.length < count) await new Promise<void>(resolve => { this.#news = resolve })
  }
}

export interface TestBroker {
  readonly broker: Broker
  readonly access: Access
  readonly journal: TestJournal
  readonly url: string
  /** The log from WARN up. */
  readonly logged: readonly LogLine[]
  /** A client that has logged in. */
  connect (fields: ConnectFields): Promise<RawClient>
}

export interface TestBrokerOptions {
  readonly limits?: Partial<Settings['limits']>
  readonly stored?: StoredTopic
  /** Default: clients without a login are let in on loopback, as operators. */
  readonly rules?: Partial<AccessRules>
  /** Instead of `rules`. */
  readonly access?: Access
  readonly clock?: Clock
  /** Whether the journal waits for the test to flush. */
  readonly holds?: boolean
}

/** The limits that the settings have without an environment; but what tests send is seldom decodable, and only the tests of the pace want it slowed. */
export const defaultLimits = loadSettings({ ISOBAR_MAX_DEAD_LETTERS_PER_MINUTE: '1000000' }).limits

/** A broker with a listener on a free port of 127.0.0.1 and a journal in memory; it goes with the test. */
export async function openTestBroker (t: Pick<Test, 'teardown'>, { limits, stored, rules, clock = realClock, access = createTestAccess(rules, clock), holds = false }: TestBrokerOptions = {}): Promise<TestBroker> {
  const journal = new TestJournal()
  if (!holds) journal.flushByItself()
  const { log, lines } = createTestLog('warn')
  const broker = await openBroker({ inbox: journal, topics: new Topics('iot/v1'), limits: { ...defaultLimits, ...limits }, access, stored, clock, log })
  const listener = await listen(broker, { url: 'mqtt://127.0.0.1:0', open: false })
  t.teardown(async () => {
    await listener.close()
    journal.setFull(false)
    journal.flushByItself()
    await broker.close()
  })
  return { broker, access, journal, url: listener.url, logged: lines, connect: async fields => await connectRaw(t, listener.url, fields) }
}

/** Access by some rules; without any, clients without a login are let in on loopback, as operators. The HTTP token is `t0k3n`. */
export function createTestAccess (rules: Partial<AccessRules> = {}, clock: Clock = realClock): Access {
  return new Access({ rules: { passwords: null, acl: null, operators: new Set(), anonymous: 'loopback', ...rules }, topics: new Topics('iot/v1'), token: 't0k3n', limits: { concurrency: 2, maxQueued: 64, maxDelayMs: 60_000 }, clock })
}

/** One message with one reading. */
export function telemetryOf (seq: number, { boot = 7, ...reading }: Partial<Reading> & { readonly boot?: number } = {}): Buffer {
  return encodeTelemetry({ boot, clock: 0, status: 0, readings: [{ seq, ts: 1_790_000_000_000 + seq * 1000, temperatureDeciC: 215, pressurePa: 101_325, ...reading }] })
}
