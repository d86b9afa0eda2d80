import { join, resolve } from 'node:path'
import { diskBytesOf } from '../../inbox/folder.ts'
import { maxBytesOf, type FullLimits } from '../../inbox/full.ts'
import { type InboxLook } from '../../inbox/look.ts'
import { IsobarError, textOf } from '../../lib/errors.ts'
import { type Settings } from '../../schemas/settings.ts'
import { gatewayStatusSchema, type GatewayStatus } from '../../schemas/status.ts'
import { createGatewayApi } from '../http-client.ts'
import { ageText, bytesText, failWith, ok, warn, type Finding } from './finding.ts'

/** Whether a gateway uses the data folder, and what it says of itself. */
export interface Running {
  /** `process 42`; null when none does. */
  readonly holder: string | null
  /** Of the gateway at ISOBAR_HTTP; null when none answers there. It is that of the data folder only when there is a holder. */
  readonly status: GatewayStatus | null
  /** Why there is no status. */
  readonly reason: string
}

export async function lookForGateway (settings: Settings, holder: string | null): Promise<Running> {
  try {
    return { holder, status: await createGatewayApi(settings, 3_000).get('/api/v1/status', gatewayStatusSchema), reason: '' }
  } catch (error) {
    return { holder, status: null, reason: error instanceof IsobarError ? error.detail ?? error.message : textOf(error) }
  }
}

/** @returns the look, null when the inbox cannot be looked into or is not there, and what to say about it */
export async function checkInbox ({ data, inbox }: Settings): Promise<{ readonly look: InboxLook | null, readonly finding: Finding }> {
  const { lookIntoInbox } = await import('../../inbox/look.ts')
  const dir = join(resolve(data.dir), 'inbox')
  try {
    const look = await lookIntoInbox(dir)
    const maxBytes = look === null ? Infinity : maxBytesOf(inbox.maxBytes, await diskBytesOf(dir))
    return { look, finding: inboxFinding(dir, look, { ...inbox, maxBytes }, Date.now()) }
  } catch (error) {
    return { look: null, finding: failWith('inbox', error instanceof IsobarError ? error : new IsobarError('ISO_DATA_UNWRITABLE', { detail: `${dir} (${textOf(error)})`, cause: error })) }
  }
}

export function inboxFinding (dir: string, look: InboxLook | null, { maxBytes, maxAgeMs }: Pick<FullLimits, 'maxBytes' | 'maxAgeMs'>, now: number): Finding {
  if (look === null) return ok('inbox', `${dir} is not there yet; a gateway makes it`)
  if (look.holder !== null) return ok('inbox', `${dir} is used by a gateway (${look.holder})`)
  if (look.contents === null) return ok('inbox', `${dir} is empty, and no gateway uses it`)
  const { deliveries, readings, bytes, oldestAt } = look.contents
  if (deliveries === 0) return ok('inbox', `${dir} is readable, nothing waits, and no gateway uses it`)
  const ageMs = now - oldestAt!
  const text = `${dir} holds ${deliveries} messages (${readings} readings, ${bytesText(bytes)}), the oldest ${ageText(ageMs)} old, and no gateway uses it`
  const isFull = bytes >= maxBytes || ageMs >= maxAgeMs
  return isFull ? warn('inbox', `${text}; that is its limit`, 'Start a gateway, which writes them to the database; until some are written it acknowledges nothing new.') : warn('inbox', text, 'Start a gateway, which writes them to the database.')
}

/** What a running gateway says of itself. */
export function gatewayFinding ({ holder, status, reason }: Running): Finding {
  if (holder === null) return ok('gateway', 'none runs on this data folder')
  if (status === null) return warn('gateway', `${holder} uses the data folder, and ISOBAR_HTTP does not reach it (${reason})`, 'Give this command the settings that the gateway was started with.')
  const { state, cause, readings: { pending }, perSecond, backlog: { oldestS } } = status
  const text = `${holder} runs, version ${status.version}: ${state}, ${perSecond.toFixed(1)} readings/s in, ${pending} pending${oldestS === null ? '' : `, the oldest ${oldestS} s old`}`
  return state === 'ok' ? ok('gateway', text) : warn('gateway', `${text}: ${cause ?? 'no cause given'}`, 'Its log and /readyz say more.')
}
