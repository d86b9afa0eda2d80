import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect, connectAsync } from 'mqtt'
import { environment } from '../../lib/config.ts'
import { packageRoot } from '../../lib/package.ts'

export interface Message {
  readonly topic: string
  readonly payload: string
  readonly qos: 0 | 1 | 2
  readonly retain?: boolean
}

export interface Subscribe {
  readonly filter: string
  readonly qos: 0 | 1 | 2
  readonly clientId: string
  readonly clean?: boolean
  readonly will?: { readonly topic: string, readonly payload: string }
}

/** What a client has subscribed to, as `topic qos retain bytes beginning`. */
export interface Subscription {
  take (count: number): Promise<string[]>
  /** Ends the connection without a DISCONNECT. */
  kill (): Promise<void>
}

/** A client of MQTT 3.1.1 that others have made. */
export interface InteropClient {
  readonly name: string
  /** What is not installed, or null. */
  readonly missing: string | null
  publish (port: number, message: Message): Promise<void>
  subscribe (port: number, subscribe: Subscribe): Promise<Subscription>
}

const python = environment().ISOBAR_TEST_PYTHON ?? 'python3'
const paho = join(packageRoot, 'test', 'interop', 'paho-client.py')

function runs (command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0
}

class Lines implements Subscription {
  readonly #end: () => Promise<void>
  readonly #lines: string[] = []
  #news: () => void = () => {}

  constructor (end: () => Promise<void>) {
    this.#end = end
  }

  add (line: string): void {
    this.#lines.push(/^\S+ \d \d \d+ ?.{0,20}/.exec(line)?.[0] ?? line)
    this.#news()
  }

  async take (count: number): Promise<string[]> {
    while (this.#lines.length < count) await new Promise<void>(resolve => { this.#news = resolve })
    return this.#lines.splice(0, count)
  }

  async kill (): Promise<void> { await this.#end() }
}

/** A client that is a command: it publishes what it reads, or prints `Subscribed …`, then lines that begin with `message`. */
function commandClient (name: string, missing: string | null, publishing: (port: number, message: Message) => string[], subscribing: (port: number, subscribe: Subscribe) => string[]): InteropClient {
  return {
    name,
    missing,
    publish: async (port, message) => {
      const [command, ...args] = publishing(port, message)
      const child = spawn(command!, args, { stdio: ['pipe', 'inherit', 'inherit'] })
      child.stdin.end(message.payload)
      const [code] = await once(child, 'exit')
      if (code !== 0) throw new Error(`${command} ended with ${code}`)
    },
    subscribe: async (port, subscribe) => {
      const [command, ...args] = subscribing(port, subscribe)
      const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const lines = new Lines(async () => await killed(child))
      const subscribed = new Promise<void>((resolve, reject) => {
        child.once('exit', code => reject(new Error(`${command} ended with ${code}`)))
        createInterface({ input: child.stdout }).on('line', line => {
          if (line.startsWith('Subscribed')) resolve()
          else if (line.startsWith('message ')) lines.add(line.slice('message '.length))
        })
      })
      await subscribed
      return lines
    }
  }
}

async function killed (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

const mosquitto = commandClient('mosquitto_pub and mosquitto_sub', runs('mosquitto_sub', '--help') || spawnSync('mosquitto_sub', ['--help']).error === undefined ? null : 'mosquitto-clients',
  (port, { topic, payload, qos, retain }) => ['mosquitto_pub', '-p', `${port}`, '-t', topic, '-q', `${qos}`, payload === '' ? '-n' : '-s', ...retain === true ? ['-r'] : []],
  (port, { filter, qos, clientId, clean = true, will }) => ['stdbuf', '-oL', 'mosquitto_sub', '-d', // into a pipe it says nothing before its first message otherwise
    '-p', `${port}`, '-i', clientId, '-t', filter, '-q', `${qos}`, '-F', 'message %t %q %r %l %p', ...clean ? [] : ['-c'],
    ...will === undefined ? [] : ['--will-topic', will.topic, '--will-payload', will.payload, '--will-qos', '1']])

function pahoArguments (port: number, options: object): string[] {
  return [python, paho, JSON.stringify({ port, clientId: '', clean: true, will: null, filter: null, retain: false, ...options })]
}

const pahoClient = commandClient('paho-mqtt', runs(python, '-c', 'import paho.mqtt.client') ? null : `paho-mqtt for ${python} (ISOBAR_TEST_PYTHON names another one)`,
  (port, { topic, qos, retain = false }) => pahoArguments(port, { topic, qos, retain }),
  (port, { filter, qos, clientId, clean = true, will = null }) => pahoArguments(port, { filter, qos, clientId, clean, will }))

const mqttJs: InteropClient = {
  name: 'MQTT.js',
  missing: null,
  publish: async (port, { topic, payload, qos, retain = false }) => {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`)
    await client.publishAsync(topic, payload, { qos, retain })
    await client.endAsync()
  },
  subscribe: async (port, { filter, qos, clientId, clean = true, will }) => {
    const client = connect(`mqtt://127.0.0.1:${port}`, { clientId, clean, reconnectPeriod: 0, ...will === undefined ? {} : { will: { ...will, payload: Buffer.from(will.payload), qos: 1, retain: false } } })
    const lines = new Lines(async () => {
      client.stream.destroy()
      await client.endAsync(true)
    })
    client.on('message', (topic, payload, packet) => lines.add(`${topic} ${packet.qos} ${packet.retain ? 1 : 0} ${payload.length} ${payload.subarray(0, 20).toString()}`))
    await new Promise<void>(resolve => client.once('connect', () => resolve()))
    await client.subscribeAsync(filter, { qos })
    return lines
  }
}

export const clients: readonly InteropClient[] = [mosquitto, pahoClient, mqttJs]
