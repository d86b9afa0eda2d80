import { InvalidArgumentError, type Command } from 'commander'
import { isLoopback, listenUrls } from '../lib/listen-url.ts'
import { IsobarError } from '../lib/errors.ts'
import { type Settings } from '../schemas/settings.ts'

/** Adds `--url`, for commands that are MQTT clients of a gateway. */
export function withUrlOption (command: Command): Command {
  return command.option('--url <url>', 'the gateway, such as mqtts://host:8883 or ws://host:8080/mqtt (default: ISOBAR_MQTT)', parseUrl)
}

function parseUrl (text: string): string {
  if (!URL.canParse(text) || !/^(mqtts?|wss?):$/.test(new URL(text).protocol) || new URL(text).hostname === '') throw new InvalidArgumentError('It must be a URL with mqtt://, mqtts://, ws:// or wss://.')
  return text
}

/**
 * Where this machine reaches the gateway: the URL that was given, else one of those of the settings.
 * @throws IsobarError ISO_CLI_USAGE when the settings leave the port to the gateway
 */
export function gatewayUrl ({ mqtt }: Pick<Settings, 'mqtt'>, given: string | undefined): string {
  if (given !== undefined) return given
  const url = localUrl(listenUrls(mqtt.url))
  if (new URL(url).port === '0') throw new IsobarError('ISO_CLI_USAGE', { detail: `ISOBAR_MQTT=${mqtt.url} takes any free port; give the one of the gateway's greeting with --url` })
  return url
}

/** The URL to connect to from this machine, of those that a gateway listens on. */
export function localUrl (listenUrls: readonly string[]): string {
  return reachable(plainFirst(listenUrls)[0]!)
}

/** Those that are meant for programs of this machine come first: on loopback, without TLS, and not for proxies alone. */
export function plainFirst (urls: readonly string[]): readonly string[] {
  const strangeness = (url: string): number => Number(!isLoopback(new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'))) + 2 * Number(/^(mqtts|https):/.test(url))
  return urls.toSorted((a, b) => strangeness(a) - strangeness(b))
}

/** A URL to listen on as one to connect to: all addresses of this machine are reached through its loopback. */
export function reachable (listenUrl: string): string {
  return listenUrl.replace(/\?.*$/, '').replace(/^(\w+:\/\/)0\.0\.0\.0(?=[:/]|$)/, '$1127.0.0.1').replace(/^(\w+:\/\/)\[::\](?=[:/]|$)/, '$1[::1]')
}
