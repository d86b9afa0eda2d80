import { Command } from 'commander'
import { IsobarError } from '../lib/errors.ts'
import { logLevels, type LogLevel } from '../lib/log.ts'
import { commandNames, type CommandName } from '../schemas/command-name.ts'
import { loadSettings } from '../schemas/settings.ts'
import { type DeviceId } from '../schemas/topics.ts'
import { printLines } from './output.ts'
import { deviceIdOption, durationOption, wholeOption } from './parse.ts'

/** Beyond what the gateway waits for the device. */
const extraMs = 5_000

interface ConfigureOptions {
  /** In ms. */
  readonly interval?: number
  readonly oversampling?: number
  readonly batch?: number
  readonly logLevel?: LogLevel
  /** In ms. */
  readonly timeout: number
  readonly json?: true
}

/** `isobar devices configure`: sets a device from afar. */
export function configureCommand (): Command {
  const command = new Command('configure')
  return command
    .summary('set the interval and more of a device from afar')
    .description('Set a device from afar. What is left out has the value of its own settings; without any option everything is taken back.')
    .argument('<id>', 'id of the device', deviceIdOption)
    .option('--interval <duration>', 'from one reading to the next', durationOption(10, 86_400_000))
    .option('--oversampling <n>', '0 low power to 3 lowest noise', wholeOption(0, 3))
    .option('--batch <n>', 'readings in one message', wholeOption(1, 500))
    .addOption(command.createOption('--log-level <level>', 'least severe line of its log').choices(logLevels))
    .addOption(command.createOption('--timeout <duration>', 'longest wait for its answer').argParser(durationOption(100, 30_000)).default(5_000, '5s'))
    .option('--json', 'print an object: version, report')
    .addHelpText('after', `
Asks the running gateway over HTTP (ISOBAR_HTTP, ISOBAR_HTTP_TOKEN). The device
checks the values, applies them at once and reports; values under which its
connection does not come back within 3 minutes are taken back by itself. A device
that is away gets them when it connects.

Examples:
  isobar devices configure pi-attic --interval 10s --oversampling 1
  isobar devices configure pi-attic

Exit codes: 0 applied, or the device is away and will get it; 1 an error, or the
device refuses; 2 wrong usage.`)
    .action(async (id: DeviceId, { interval, oversampling, batch, logLevel, timeout, json }: ConfigureOptions) => {
      const { createGatewayApi } = await import('./http-client.ts')
      const { configureAnswer } = await import('../schemas/device-request.ts')
      const api = createGatewayApi(loadSettings(), timeout + extraMs)
      const answer = await api.post(`/api/v1/devices/${id}/configure`, configureAnswer, { values: { intervalMs: interval, oversampling, batch, logLevel }, timeoutMs: timeout })
      const { version, report } = answer
      if (json === true) await printLines([JSON.stringify(answer)])
      else if (report === null) await printLines([`${id} has not answered; it gets version ${version} when it connects.`])
      else if (report.ok) await printLines([`${id} has version ${version}: ${valuesText(report.values)}.`])
      if (report?.ok === false) throw new IsobarError('ISO_DEVICE_REFUSED', { detail: `${id}: ${report.error ?? 'no reason given'}; it has ${valuesText(report.values)}` })
    })
}

function valuesText ({ intervalMs, oversampling, batch, logLevel }: { readonly intervalMs: number, readonly oversampling: number, readonly batch: number, readonly logLevel: string }): string {
  return `a reading every ${intervalMs} ms, oversampling ${oversampling}, messages of ${batch}, log level ${logLevel}`
}

/** `isobar devices command`: has a device do something. */
export function commandCommand (): Command {
  const command = new Command('command')
  return command
    .summary('have a device do something now')
    .description('Have a device that is connected do something now, and print its answer.')
    .argument('<id>', 'id of the device', deviceIdOption)
    .addArgument(command.createArgument('<name>', 'what it shall do').choices(commandNames))
    .addOption(command.createOption('--timeout <duration>', 'longest wait for its answer').argParser(durationOption(100, 30_000)).default(5_000, '5s'))
    .addHelpText('after', `
ping: what it is and how it is. read-now: a reading beside its interval, which is
published as well. identify: a line in its log, its host and its addresses. restart:
it keeps what is not sent, ends, and systemd starts it again.
Asks the running gateway over HTTP (ISOBAR_HTTP, ISOBAR_HTTP_TOKEN).

Examples:
  isobar devices command pi-attic ping
  isobar devices command pi-attic read-now

Exit codes: 0 done, 1 an error, or the device does not answer or refuses; 2 wrong
usage.`)
    .action(async (id: DeviceId, name: CommandName, { timeout }: { timeout: number }) => {
      const { createGatewayApi } = await import('./http-client.ts')
      const { commandReply } = await import('../schemas/device-request.ts')
      const { ok, result, error } = await createGatewayApi(loadSettings(), timeout + extraMs).post(`/api/v1/devices/${id}/command`, commandReply, { name, timeoutMs: timeout })
      if (!ok) throw new IsobarError('ISO_DEVICE_REFUSED', { detail: `${id}: ${error ?? 'no reason given'}` })
      await printLines([JSON.stringify(result ?? null)])
    })
}
