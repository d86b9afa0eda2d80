import { EventEmitter, once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import { type Test } from 'tap'

/** A PUBLISH as the broker received it; a will is one too. */
export interface Published {
  readonly clientId: string | null
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
  readonly retain: boolean
  /** Nobody sent it: the broker did, for a client that left without DISCONNECT. */
  readonly isWill: boolean
}

/** A bare broker for the device's end of the wire: it can be stopped and started on its port, refuse logins, and hold back its PUBACKs. */
export interface DeviceBroker {
  readonly url: string
  /** All that arrived, in order. */
  readonly published: readonly Published[]
  /** What the clients said at their CONNECT. */
  readonly connects: ReadonlyArray<{ readonly clientId: string, readonly username: string | undefined, readonly password: string | undefined, readonly clean: boolean }>
  /** Return code of the next CONNACKs; 0 accepts. */
  returnCode: number
  /** Which topics are not acknowledged until `release`. */
  hold: ((topic: string) => boolean) | null
  /** Acknowledges the oldest `count` of what is held. */
  release (count?: number): void
  readonly heldNow: number
  /** Clients that have gone; their wills are in `published`. */
  readonly gone: number
  /** Resolves when the condition holds. */
  until (holds: () => boolean): Promise<void>
  /** Publishes to the clients, with QoS 1. */
  send (topic: string, payload: string, options?: { retain?: boolean }): Promise<void>
  /** Cuts every connection and stops listening; clients that come back are refused by TCP. */
  stop (): Promise<void>
  start (): Promise<void>
  /** Cuts every connection and goes on listening. */
  cut (): void
}

export async function openDeviceBroker (t: Test): Promise<DeviceBroker> {
  const aedes = await Aedes.createBroker()
  const changed = new EventEmitter().setMaxListeners(0)
  const published: Published[] = []
  const connects: Array<{ clientId: string, username: string | undefined, password: string | undefined, clean: boolean }> = []
  const held: Array<() => void> = []
  const sockets = new Set<Socket>()
  const change = (): void => { changed.emit('change') }
  let server: Server | null = null
  let port = 0

  const broker = {
    url: '',
    published,
    connects,
    returnCode: 0,
    hold: null as ((topic: string) => boolean) | null,
    release: (count = Infinity) => { for (const acknowledge of held.splice(0, count)) acknowledge() },
    get heldNow () { return held.length },
    gone: 0,
    until: async (holds: () => boolean) => { while (!holds()) await once(changed, 'change') },
    send: async (topic: string, payload: string, { retain = false }: { retain?: boolean } = {}) => {
      await new Promise<void>(resolve => aedes.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain, dup: false }, () => resolve()))
    },
    cut: () => { for (const socket of sockets) socket.destroy() },
    start: async () => {
      server = createServer(socket => {
        sockets.add(socket)
        socket.on('close', () => { sockets.delete(socket) })
        aedes.handle(socket)
      })
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
      broker.url = `mqtt://127.0.0.1:${port}`
    },
    stop: async () => {
      if (server === null) return
      const closed = once(server, 'close')
      server.close()
      server = null
      broker.cut()
      await closed
      change()
    }
  }

  aedes.preConnect = (_client, packet, done) => {
    connects.push({ clientId: packet.clientId, username: packet.username, password: packet.password?.toString(), clean: packet.clean ?? false })
    done(null, true)
    change()
  }
  aedes.authenticate = (_client, _username, _password, done) => {
    if (broker.returnCode === 0) done(null, true)
    else done(Object.assign(new Error('refused'), { returnCode: broker.returnCode }) as Parameters<typeof done>[0], null)
  }
  aedes.authorizePublish = (client, { topic, payload, qos, retain, dup }, done) => {
    published.push({ clientId: client?.id ?? null, topic, payload: Buffer.from(payload), qos, retain, isWill: dup === undefined })
    if (broker.hold?.(topic) === true) held.push(() => done(null))
    else done(null)
    change()
  }
  aedes.on('clientDisconnect', () => {
    broker.gone++
    change()
  })
  aedes.on('client', change)

  await broker.start()
  t.teardown(async () => {
    broker.release()
    await broker.stop()
    await new Promise<void>(resolve => aedes.close(resolve))
  })
  return broker
}
