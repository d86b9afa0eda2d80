import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { stopSignals } from '../lib/lifecycle.ts'
import { loadSettings } from '../schemas/settings.ts'
import { Topics, type DeviceId } from '../schemas/topics.ts'
import { printable } from './escape.ts'
import { clientLogin } from './client-login.ts'
import { gatewayUrl, withUrlOption } from './mqtt-url.ts'
import { printLines } from './output.ts'
import { deviceIdOption, wholeOption } from './parse.ts'
import { timeOfDay } from './status-line.ts'

interface TailOptions {
  readonly device?: readonly DeviceId[]
  readonly count?: number
  readonly json?: true
  readonly url?: string
}

/** `isobar tail`: prints readings as the gateway receives them. */
export function tailCommand (): Command {
  return withUrlOption(new Command('tail'))
    .summary('print readings live, as the gateway receives them')
    .description('Print readings live, as the gateway receives them: whether or not the database takes them.')
    .option('-d, --device <id...>', 'only these devices (default: all)', (text: string, ids: readonly DeviceId[] = []) => [...ids, deviceIdOption(text)])
    .option('-n, --count <n>', 'end after so many readings; a faulty message counts as one', wholeOption(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print an object a line')
    .addHelpText('after', help)
    .action(tail)
}

const help = `
The columns: time of the reading, device, boot, seq, temperature, pressure, and
what the message says of clock and sensor when not all is well. A message that is
no telemetry is shown with the rule that it breaks ('isobar decode' explains it),
and the time of its arrival.

What became of the readings follows in lines of their own: time, device, boot, seq
(or the first and the last), and 'stored', or 'dead' with reason, code and the id of
the dead letter. As JSON these have the member verdict. --count waits a moment
for them.

A connection that is lost is made again, and stderr says so; what comes meanwhile
is not shown (the table readings has it). Ctrl-C ends it.

Examples:
  isobar tail
  isobar tail --device pi-attic pi-cellar
  isobar tail --json --count 10 | jq .device_id
  isobar tail --url mqtt://gateway.example:1883

Exit codes: 0 ended by Ctrl-C, by --count or by its reader, 1 the gateway cannot be
reached at the start or refuses it, 2 wrong usage.`

async function tail ({ device, count = Infinity, json, url: given }: TailOptions): Promise<void> {
  const settings = loadSettings()
  const topics = new Topics(settings.topics.root)
  const url = gatewayUrl(settings, given)
  const { subscribe } = await import('./subscriber.ts')
  const { TailPrinter } = await import('./tail-printer.ts')
  const { jsonLines, textLines } = await import('./tail-lines.ts')
  const lines = json === true ? jsonLines : textLines(Math.max(0, ...device?.map(id => id.length) ?? []))
  const printer = new TailPrinter({ topics, lines, count, clock: realClock, print: printLines })
  const signals = stopSignals()
  try {
    await subscribe({
      url,
      login: clientLogin(settings, url),
      filters: device?.map(id => topics.tele(id)) ?? [`${topics.root}/+/tele`],
      optional: device?.flatMap(id => [topics.stored(id), topics.error(id)]) ?? [`${topics.root}/+/stored`, `${topics.root}/+/error`],
      clientId: `isobar-tail-${randomBytes(4).toString('hex')}`,
      take: async (topic, payload) => await printer.take(topic, payload),
      onRefused: () => { tell('the gateway does not let this client read the topics stored and error: verdicts are not shown') },
      onChanged: lost => { tell(lost === null ? 'connected again' : `the connection to ${maskSecret(url)} is lost (${printable(lost)}); trying again`) }
    }, AbortSignal.any([signals.stop, printer.end]))
  } finally {
    printer.close()
    signals.close()
  }
}

function tell (sentence: string): void {
  process.stderr.write(`isobar: ${timeOfDay(realClock.now())}  ${sentence}\n`)
}
