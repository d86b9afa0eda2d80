import { type AccessStats } from '../../broker/access/access.ts'
import { type AccessReloadStats } from '../access-reload.ts'
import { type Define } from './metrics.ts'

export interface AccessMetricsParts {
  readonly access: { readonly stats: AccessStats }
  readonly reload: { readonly stats: AccessReloadStats, readonly fault: string | null }
}

/** Who came in and who did not, and whether the files of the rules are in force. What was refused to those who are in is in isobar_broker_rejections_total. */
export function accessMetrics (define: Define, { access, reload }: AccessMetricsParts): void {
  define.counters('isobar_access_logins_total', 'Logins by result: accepted, or refused for password, identity, will, or because too many passwords waited (busy).', 'result', () => ({ accepted: access.stats.accepted, ...access.stats.refused }))
  define.gauge('isobar_access_waiting_passwords', 'Passwords that wait to be verified; ISOBAR_AUTH_QUEUE is the limit.', () => access.stats.queued)
  define.counter('isobar_access_dropped_passwords_total', 'Passwords that were not verified, because too many waited.', () => access.stats.dropped)
  define.gauge('isobar_access_delayed_answers', 'Answers to wrong passwords that are held back.', () => access.stats.delayed)
  define.counters('isobar_access_reloads_total', 'Reloads of the access rules by result: taken, or failed because a file cannot be used.', 'result', () => ({ ...reload.stats }))
  define.gauge('isobar_access_stale', '1 while a file of the access rules cannot be used, and those from before are in force.', () => Number(reload.fault !== null))
}
