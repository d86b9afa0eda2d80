import { IsobarError } from '../lib/errors.ts'
import { realClock } from '../lib/clock.ts'
import { journalSchema } from '../schemas/books.ts'
import { type Settings } from '../schemas/settings.ts'
import { readEvidence } from './books-evidence.ts'
import { compareBooks, isSound, type Report } from './books-report.ts'
import { type BooksOptions } from './books.ts'
import { withDatabase } from './database.ts'
import { printable, printableJson } from './escape.ts'
import { createGatewayApi, type GatewayApi } from './http-client.ts'
import { printLines } from './output.ts'

/** Counting every row of a large table takes its time, and holds nobody up. */
const countTimeoutMs = 3_600_000
/** A difference that nobody can explain is counted once more, a moment later. */
const againMs = 1_500

/**
 * Counts what the books say, and prints each equation and each difference.
 * @throws IsobarError ISO_BOOKS_UNEXPLAINED after that when there is a difference without an explanation
 */
export async function verifyBooks (settings: Settings, { device, json }: BooksOptions): Promise<void> {
  const api = createGatewayApi(settings)
  const patient = { ...settings, write: { ...settings.write, statementTimeoutMs: Math.max(settings.write.statementTimeoutMs, countTimeoutMs) } }
  let report = await count(api, patient, device)
  if (!isSound(report)) {
    await realClock.sleep(againMs)
    report = await count(api, patient, device)
  }
  await printLines(json === true ? [printableJson(JSON.stringify({ ...report, sound: isSound(report) }))] : reportLines(report))
  if (!isSound(report)) throw new IsobarError('ISO_BOOKS_UNEXPLAINED')
}

async function count (api: GatewayApi, settings: Settings, only: readonly string[] | undefined): Promise<Report> {
  const journal = await api.get('/api/v1/books/journal', journalSchema)
  if (journal.unsettled === null) throw new IsobarError('ISO_INBOX_LONG')
  const evidence = await withDatabase(settings, async database => await readEvidence(database, journal))
  return compareBooks(journal, evidence, only)
}

/** The report for a person. */
export function * reportLines ({ at, gateway, devices, equations, differences }: Report): Iterable<string> {
  yield `gateway ${printable(gateway)}, ${devices} ${devices === 1 ? 'device' : 'devices'}, as of ${new Date(at).toISOString()}`
  yield ''
  for (const { holds, text } of equations) yield `${holds ? 'holds  ' : 'differs'}  ${text}`
  if (differences.length > 0) yield ''
  for (const { device, equation, counted, found, explained, text } of differences) {
    yield `${explained === null ? 'cannot tell' : explained ? 'explained  ' : 'UNEXPLAINED'}  ${device}: ${equation} ${counted}, found ${found}: ${text}`
  }
}
