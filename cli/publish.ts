import { randomBytes, randomInt } from 'node:crypto'
import { Command, Option } from 'commander'
import { realClock } from '../lib/clock.ts'
import { maskSecret } from '../lib/config.ts'
import { IsobarError } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'
import { maxUint32 } from '../schemas/telemetry-decode.ts'
import type { Telemetry } from '../schemas/telemetry.ts'
import { Topics, type DeviceId } from '../schemas/topics.ts'
import { clientLogin, tlsHint } from './client-login.ts'
import { gatewayUrl, withUrlOption } from './mqtt-url.ts'
import { printLines } from './output.ts'
import { decimalOption, deviceIdOption, durationOption, wholeOption } from './parse.ts'

interface PublishOptions {
  readonly device: DeviceId
  /** In 0.1 °C. */
  readonly temperature: number
  /** In Pa. */
  readonly pressure: number
  readonly boot?: number
  readonly seq: number
  /** In ms. */
  readonly wait: number
  readonly url?: string
}

/** `isobar publish`: sends one valid reading and waits for its PUBACK. */
export function publishCommand (): Command {
  return withUrlOption(new Command('publish'))
    .summary('send one test reading, and wait for its PUBACK')
    .description('Send one valid reading with QoS 1, wait for its PUBACK, and say where to look for it.')
    .option('-d, --device <id>', 'device that it comes from', deviceIdOption, 'test-1' as DeviceId)
    .addOption(new Option('--temperature <degrees>', 'in °C, to 0.1').argParser(decimalOption(-3276.8, 3276.7, 10)).default(215, '21.5'))
    .addOption(new Option('--pressure <hPa>', 'to 0.01').argParser(decimalOption(0, maxUint32 / 100, 100)).default(101_325, '1013.25'))
    .option('--boot <n>', 'boot of the device (default: a random one)', wholeOption(0, maxUint32))
    .option('--seq <n>', 'number of the reading within its boot', wholeOption(0, maxUint32), 0)
    .addOption(new Option('--wait <duration>', 'longest wait for the PUBACK').argParser(durationOption(1, 3_600_000)).default(10_000, '10s'))
    .addHelpText('after', help)
    .action(publish)
}

const help = `
Its time is now. The command is an ordinary client with an id of its own, so a
real device of that name keeps its connection; but give a real one no test
readings, since what is stored stays.

Examples:
  isobar publish
  isobar publish --device test-2 --temperature -5.2 --pressure 988
  isobar publish --boot 7 --seq 1

Exit codes: 0 acknowledged, 1 not acknowledged or the gateway cannot be reached,
2 wrong usage.`

async function publish ({ device, temperature, pressure, boot = randomInt(2 ** 32), seq, wait, url: given }: PublishOptions): Promise<void> {
  const settings = loadSettings()
  const url = gatewayUrl(settings, given)
  const topic = new Topics(settings.topics.root).tele(device)
  const telemetry: Telemetry = { boot, clock: 0, status: 0, readings: [{ seq, ts: realClock.now(), temperatureDeciC: temperature, pressurePa: pressure }] }
  const { encodeTelemetry } = await import('../schemas/telemetry.ts')
  const payload = encodeTelemetry(telemetry)
  const { Connection } = await import('../device/connection.ts')
  const connection = new Connection({ brokerUrl: url, clientId: `isobar-publish-${randomBytes(4).toString('hex')}`, ...clientLogin(settings, url), clock: realClock })
  if (!await connection.accepted) {
    const { reason, returnCode } = await connection.ended
    throw new IsobarError(returnCode === 0 ? 'ISO_CLI_UNREACHABLE' : 'ISO_CLI_LOGIN', { detail: `${maskSecret(url)}: ${reason}${tlsHint(reason)}` })
  }
  await printLines(sentLines(url, topic, payload, telemetry))
  const startMs = realClock.monotonicMs()
  const timer = new AbortController()
  const outcome = await Promise.race([
    connection.publish(topic, payload, { retain: false }),
    realClock.sleep(wait, timer.signal).then(() => null, () => null)
  ])
  timer.abort()
  if (outcome !== true) {
    connection.cut()
    throw new IsobarError('ISO_CLI_UNACKNOWLEDGED', { detail: outcome === null ? `no PUBACK within ${wait} ms` : `the connection ended before the PUBACK (${(await connection.ended).reason})` })
  }
  const waitedMs = realClock.monotonicMs() - startMs
  await connection.disconnect()
  await printLines(acknowledgedLines(waitedMs, device, boot))
}

function sentLines (url: string, topic: string, payload: Buffer, { boot, readings }: Telemetry): readonly string[] {
  const { seq, ts, temperatureDeciC, pressurePa } = readings[0]!
  return [
    `To ${maskSecret(url)}, topic ${topic}, QoS 1, ${payload.length} bytes:`,
    `  ${payload.toString('hex')}`,
    `  boot ${boot}, seq ${seq}, ${new Date(ts).toISOString()}, ${(temperatureDeciC! / 10).toFixed(1)} °C, ${(pressurePa! / 100).toFixed(2)} hPa`
  ]
}

function acknowledgedLines (ms: number, device: DeviceId, boot: number): readonly string[] {
  return [
    `PUBACK after ${ms.toFixed(1)} ms: the gateway has it on its disk. In the database a moment later:`,
    `  isobar sql "select * from readings where device_id = '${device}' and boot = ${boot}"`
  ]
}
