import { Command } from 'commander'
import { realClock } from '../lib/clock.ts'
import { aborted, stopSignals } from '../lib/lifecycle.ts'
import { loadSettings } from '../schemas/settings.ts'
import type { RejectionsAnswer } from '../schemas/rejection.ts'
import { printable, printableJson } from './escape.ts'
import type { GatewayApi } from './http-client.ts'
import { printLines } from './output.ts'
import { wholeOption } from './parse.ts'

/** How often `--follow` asks. */
const askMs = 500

type Numbered = RejectionsAnswer['rejections'][number]

/** `isobar rejections`: what the gateway refused, and why. */
export function rejectionsCommand (): Command {
  return new Command('rejections')
    .summary('show whom the gateway refused, and by which rule')
    .description('Show what the gateway refused: connections, logins, packets, filters, messages beyond a limit; with client, address, rule and clause.')
    .option('-f, --follow', 'go on with those that come')
    .option('-n, --limit <n>', 'begin with the newest n (default: 20)', wholeOption(1, 1000))
    .option('--json', 'print an object a line')
    .addHelpText('after', `
The running gateway keeps the newest 1,000 in memory. It is asked over HTTP
(ISOBAR_HTTP, ISOBAR_HTTP_TOKEN). The same is in its log, one line a second for
each rule and address, and counted by rule on /metrics.

Examples:
  isobar rejections
  isobar rejections --follow
  isobar rejections --json | jq -r 'select(.rule == "keepalive") | .clientId'

Exit codes: 0 shown, or ended by Ctrl-C or its reader, 1 an error, 2 wrong usage.`)
    .action(async ({ follow, limit = 20, json }: { follow?: true, limit?: number, json?: true }) => {
      const { createGatewayApi } = await import('./http-client.ts')
      const { rejectionsSchema } = await import('../schemas/rejection.ts')
      const api = createGatewayApi(loadSettings())
      const first = await api.get('/api/v1/rejections', rejectionsSchema, { limit })
      const isRead = await printLines(json === true ? first.rejections.map(jsonLine) : reportLines(first, follow === true))
      if (follow === true && isRead) await goOn(api, first, json === true ? jsonLine : textLine)
    })
}

/** Prints what comes, until a signal or until nobody reads. A gateway that was started again counts from 1. */
async function goOn (api: GatewayApi, first: RejectionsAnswer, line: (rejection: Numbered) => string): Promise<void> {
  const { rejectionsSchema } = await import('../schemas/rejection.ts')
  const signals = stopSignals()
  let startedAt = first.startedAt
  let last = first.rejections.at(-1)?.n ?? 0
  try {
    for (let isRead = true; isRead && !signals.stop.aborted;) {
      await Promise.race([realClock.sleep(askMs), aborted(signals.stop)])
      let answer = await api.get('/api/v1/rejections', rejectionsSchema, { after: last })
      if (answer.startedAt !== startedAt) {
        startedAt = answer.startedAt
        answer = await api.get('/api/v1/rejections', rejectionsSchema)
        last = 0
      }
      last = answer.rejections.at(-1)?.n ?? last
      isRead = await printLines(answer.rejections.map(line))
    }
  } finally {
    signals.close()
  }
}

function jsonLine (rejection: Numbered): string {
  return printableJson(JSON.stringify(rejection))
}

/** One line a rejection; behind them, unless more follows, the sums by rule. */
export function * reportLines ({ startedAt, counts, rejections }: RejectionsAnswer, follow: boolean): Iterable<string> {
  for (const rejection of rejections) yield textLine(rejection)
  if (follow) return
  const sums = Object.entries(counts).sort(([, a], [, b]) => b - a).map(([rule, count]) => `${printable(rule)} ${count}`)
  yield sums.length === 0 ? `nothing was refused since ${new Date(startedAt).toISOString()}` : `since ${new Date(startedAt).toISOString()}: ${sums.join(', ')}`
}

/** When, who, from where, and why. */
export function textLine ({ at, clientId, address, rule, clause, detail }: Numbered): string {
  const who = clientId === null ? 'a client without id' : printable(clientId)
  const from = address === '' ? '' : ` from ${printable(address)}`
  return `${new Date(at).toISOString()}  ${who}${from}: ${printable(detail)} (${printable(rule)}${clause === null || detail.includes(clause) ? '' : `, ${printable(clause)}`})`
}
