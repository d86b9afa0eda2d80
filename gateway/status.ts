import { type BridgeStatus } from '../schemas/thread.ts'
import { liveMs } from '../schemas/delivery.ts'
import { type GatewayStatus } from '../schemas/status.ts'
import { version } from '../lib/package.ts'
import { type Inbox } from '../inbox/inbox.ts'
import { type Flow } from './rates.ts'

/** What the status is made of, at one moment. */
export interface StatusParts {
  /** Epoch ms. */
  readonly at: number
  readonly uptimeMs: number
  readonly inbox: Pick<Inbox, 'gatewayId' | 'totals' | 'backlog' | 'full'>
  /** null while no bridge runs. */
  readonly bridge: BridgeStatus | null
  /** Why the access rules are not those of their files; null when they are. */
  readonly access: { readonly fault: string | null }
  /** Why the certificates are not those of their files, and what of them ends soon; null when nothing. */
  readonly tls: { readonly reload: { readonly fault: string | null } | null, expiring (): string | null }
  readonly perSecond: Flow
}

/** What keeps the gateway from doing all of its work: a fixed name for machines, and a text. */
export interface Cause {
  readonly name: 'inbox-full' | 'clock-implausible' | 'database-held' | 'database-starting' | 'bridge-down' | 'rows-held' | 'access-files' | 'tls-files' | 'tls-expiry'
  readonly detail: string
}

/** All causes of the moment, the gravest first. */
export function causesOf ({ inbox, bridge, access, tls }: Pick<StatusParts, 'inbox' | 'bridge' | 'access' | 'tls'>): Cause[] {
  const causes: Cause[] = []
  if (inbox.full !== null) causes.push({ name: 'inbox-full', detail: `the inbox is full: ${inbox.full.detail}` })
  if (bridge === null) causes.push({ name: 'bridge-down', detail: 'the bridge thread has ended and is started again' })
  else if (bridge.cause?.code === 'ISO_CLOCK_IMPLAUSIBLE') causes.push({ name: 'clock-implausible', detail: bridge.cause.message })
  else if (bridge.state === 'held') causes.push({ name: 'database-held', detail: bridge.cause?.message ?? 'the database holds writes' })
  else if (bridge.state === 'starting') causes.push({ name: 'database-starting', detail: bridge.cause?.message ?? 'the database is being opened' })
  else if (bridge.cause !== null) causes.push({ name: 'rows-held', detail: bridge.cause.message })
  if (access.fault !== null) causes.push({ name: 'access-files', detail: `${access.fault}; the access rules from before stay in force` })
  if (tls.reload?.fault != null) causes.push({ name: 'tls-files', detail: `${tls.reload.fault}; the certificates from before stay in force` })
  const expiring = tls.expiring()
  if (expiring !== null) causes.push({ name: 'tls-expiry', detail: `certificates end soon: ${expiring}` })
  return causes
}

/** Causes that keep the gateway from nothing yet. */
const warnings: ReadonlySet<Cause['name']> = new Set(['rows-held', 'access-files', 'tls-files', 'tls-expiry'])

/** Whether the causes leave the gateway able to do its work: rows that wait for one partition or one device hold nobody else, and access rules and certificates stay in force until there are new ones. */
export function isReady (causes: readonly Cause[]): boolean {
  return causes.every(({ name }) => warnings.has(name))
}

/** The status as it goes to the topic and to /api/v1/status. */
export function statusOf (parts: StatusParts): GatewayStatus {
  const { at, uptimeMs, inbox, bridge, perSecond } = parts
  const causes = causesOf(parts)
  const { received, stored, duplicate, dead, pending } = inbox.totals()
  return {
    at,
    gateway: inbox.gatewayId,
    version,
    uptimeS: Math.floor(uptimeMs / 1000),
    state: stateOf(causes, bridge),
    cause: causes.length === 0 ? null : causes.map(({ detail }) => detail).join('; '),
    readings: { received, stored, duplicate, dead, pending },
    perSecond: perSecond.received,
    backlog: backlogOf(inbox.backlog(), perSecond),
    database: { kind: bridge?.database?.kind ?? null, state: bridge?.state ?? 'starting', cause: bridge?.cause?.message ?? null }
  }
}

function stateOf (causes: readonly Cause[], bridge: BridgeStatus | null): GatewayStatus['state'] {
  switch (causes[0]?.name) {
    case undefined: return 'ok'
    case 'inbox-full': return 'full'
    case 'clock-implausible': return 'held'
    case 'database-held': return 'held'
    case 'database-starting': return bridge?.cause == null ? 'degraded' : 'held'
    case 'bridge-down': return 'degraded'
    case 'rows-held': return 'degraded'
    case 'access-files': return 'degraded'
    case 'tls-files': return 'degraded'
    case 'tls-expiry': return 'degraded'
  }
}

function backlogOf ({ deliveries, readings, bytes, oldestMs }: ReturnType<Inbox['backlog']>, perSecond: Flow): GatewayStatus['backlog'] {
  const drainPerSecond = perSecond.settled - perSecond.received
  const etaS = (oldestMs ?? 0) <= liveMs ? 0 : drainPerSecond > 0 ? Math.ceil(readings / drainPerSecond) : null
  return { deliveries, readings, bytes, oldestS: oldestMs === null ? null : Math.round(oldestMs / 1000), etaS }
}
