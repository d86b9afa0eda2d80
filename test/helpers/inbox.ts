import { join } from 'node:path'
import { type Test } from 'tap'
import { openInbox, type Inbox, type InboxSettings } from '../../inbox/inbox.ts'
import { openInboxReader, type InboxReader } from '../../inbox/reader.ts'
import { realClock, type Clock } from '../../lib/clock.ts'
import { createLog } from '../../lib/log.ts'
import { type Delivery, type FateKind, type Incoming, type Settled } from '../../schemas/delivery.ts'
import { type DeviceId } from '../../schemas/topics.ts'

/**
 * A running inbox on a real disk, in a new folder unless `dir` names one. It is closed when the test ends, if it is not by then.
 * With `reserveBytes` 0 and a limit of 1 GB nothing makes it full that the test does not do.
 */
export async function openTestInbox (t: Test, over: Partial<InboxSettings> & { readonly clock?: Clock } = {}): Promise<Inbox> {
  const { clock = realClock, ...settings } = over
  const dir = settings.dir ?? testInboxDir(t)
  const inbox = await openInbox({ dir, gatewayName: 'test', maxBytes: 1e9, maxAgeMs: 1e12, reserveBytes: 0, ...settings }, { clock, log: createLog('silent') })
  t.teardown(async () => { await inbox.close() })
  return inbox
}

/** A folder for an inbox that does not exist yet. */
export function testInboxDir (t: Test): string {
  return join(t.testdir(), 'inbox')
}

export function openTestReader (t: Test, dir: string): InboxReader {
  const reader = openInboxReader(dir)
  t.teardown(async () => { await reader.close() })
  return reader
}

/** A telemetry delivery of one reading of `dev-1` with 31 bytes. */
export function incoming ({ deviceId = 'dev-1', ...over }: Partial<Omit<Incoming, 'deviceId'>> & { readonly deviceId?: string } = {}): Incoming {
  return {
    deviceId: deviceId as DeviceId,
    kind: 'tele',
    topic: `iot/v1/${deviceId}/tele`,
    clientId: deviceId,
    receivedAt: Date.now(),
    readings: 1,
    boot: 7,
    lastSeq: 0,
    payload: new Uint8Array(31),
    replayOf: null,
    ...over
  }
}

/** Appends; resolves when the delivery is on disk. */
export async function append (inbox: Inbox, delivery: Incoming = incoming()): Promise<void> {
  await new Promise<void>(resolve => inbox.append(delivery, resolve))
}

/** The end of a whole delivery. */
export function settledAs (fate: FateKind, { number, deviceId, readings }: Pick<Delivery, 'number' | 'deviceId' | 'readings'>): Settled {
  return { number, deviceId, stored: 0, duplicate: 0, dead: 0, [fate]: readings }
}

/** All that is not settled, as a reader sees it. */
export function readAll (reader: InboxReader): Delivery[] {
  const all: Delivery[] = []
  for (let from = 0; ;) {
    const { deliveries, next } = reader.read(from, 1)
    if (deliveries.length === 0) return all
    all.push(...deliveries)
    from = next
  }
}

/** Resolves when the inbox becomes full, or is not any more. */
export async function fullChanged (inbox: Inbox): Promise<void> {
  await new Promise<void>(resolve => {
    let told = false
    inbox.onFullChanged(() => {
      if (!told) resolve()
      told = true
    })
  })
}

/** A clock on which every look takes so many ms, and on which nobody sleeps. */
export function clockOfSteps (ms: number): Pick<Clock, 'monotonicMs' | 'sleep'> {
  let nowMs = 0
  return { monotonicMs: () => { nowMs += ms; return nowMs }, sleep: async () => {} }
}
