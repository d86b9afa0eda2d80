import { type AccessStats } from '../../broker/access/access.ts'
import { type ReloadStats } from '../file-reload.ts'
import { type Tls } from '../tls.ts'
import { type Define } from './metrics.ts'

export interface AccessMetricsParts {
  readonly access: { readonly stats: AccessStats }
  readonly reload: { readonly stats: ReloadStats, readonly fault: string | null }
  readonly tls: { readonly reload: { readonly stats: ReloadStats, readonly fault: string | null } | null } & Pick<Tls, 'expiryDays'>
}

/** Who came in and who did not, and whether the files of the rules are in force. What was refused to those who are in is in isobar_broker_rejections_total. */
export function accessMetrics (define: Define, { access, reload, tls }: AccessMetricsParts): void {
  define.counters('isobar_access_logins_total', 'Logins by result: accepted, or refused for password, identity, will, or because too many passwords waited (busy).', 'result', () => ({ accepted: access.stats.accepted, ...access.stats.refused }))
  define.gauge('isobar_access_waiting_passwords', 'Passwords that wait to be verified; ISOBAR_AUTH_QUEUE is the limit.', () => access.stats.queued)
  define.counter('isobar_access_dropped_passwords_total', 'Passwords that were not verified, because too many waited.', () => access.stats.dropped)
  define.gauge('isobar_access_delayed_answers', 'Answers to wrong passwords that are held back.', () => access.stats.delayed)
  define.counters('isobar_access_reloads_total', 'Reloads of the access rules by result: taken, or failed because a file cannot be used.', 'result', () => ({ ...reload.stats }))
  define.gauge('isobar_access_stale', '1 while a file of the access rules cannot be used, and those from before are in force.', () => Number(reload.fault !== null))
  define.gauges('isobar_tls_expiry_days', 'Days until the first of each kind ends to be valid: certificate of the gateway, authorities of clients, revocations; below 14 there is a warning, below 0 it has ended.', 'kind', tls.expiryDays)
  define.counters('isobar_tls_reloads_total', 'Reloads of the certificates by result: taken, or failed because a file cannot be used.', 'result', () => ({ taken: 0, failed: 0, ...tls.reload?.stats }))
  define.gauge('isobar_tls_stale', '1 while a file of TLS cannot be used, and the certificates from before are in force.', () => Number(tls.reload?.fault != null))
}
