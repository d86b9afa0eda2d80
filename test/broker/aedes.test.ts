import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer, type AddressInfo } from 'node:net'
import { finished, type Duplex } from 'node:stream'
import { Aedes, type AedesOptions, type Client } from 'aedes'
import t, { type Test } from 'tap'
import { connectRaw, openRaw, packets } from '../helpers/raw-mqtt.ts'

// broker/aedes.ts and broker/connection.ts reach into Aedes. Each thing that they reach for is held to its word here, on Aedes as it is, so that
// another version fails with a sentence and not with a lost message.

interface Internals {
  publish (...args: unknown[]): void
  subscribe (...args: unknown[]): void
  unsubscribe (...args: unknown[]): void
  mq: { emit (packet: object, done: () => void): void, closed: boolean, _matcher: { match (topic: string): unknown[] } }
  persistence: {
    incomingGetPacket (client: object, packet: object): Promise<unknown>
    addSubscriptions (client: object, subscriptions: unknown): Promise<void>
    subscriptionsByTopic (topic: string): Promise<unknown[]>
  }
}

async function openPlain (t: Test, options: AedesOptions = {}): Promise<{ aedes: Aedes & Internals, url: string, clients: Client[] }> {
  const aedes = await Aedes.createBroker(options) as Aedes & Internals
  const clients: Client[] = []
  const server = createServer({ noDelay: true }, socket => { clients.push(aedes.handle(socket)) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    await new Promise<void>(resolve => aedes.close(resolve))
    server.close()
  })
  return { aedes, url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, clients }
}

/** The least that a connection must be: what broker/connection.ts offers, and no more. */
class LeastStream extends EventEmitter {
  destroyed = false
  writableLength = 0
  readonly written: Buffer[] = []
  read (): null { return null }
  write (chunk: Buffer): boolean {
    this.written.push(chunk)
    this.emit('written')
    return true
  }

  destroy (): this {
    this.destroyed = true
    setImmediate(() => this.emit('close'))
    return this
  }
}

t.test('Aedes is the version whose inside is known', async t => {
  const path = createRequire(import.meta.url).resolve('aedes')
  t.equal(JSON.parse(readFileSync(new URL('package.json', `file://${path}`), 'utf8')).version, '1.2.0')
})

t.test('finished() of node:stream takes what is no stream, and calls back at close', async t => {
  const stream = new LeastStream()
  const ended = new Promise<void>(resolve => { finished(stream as unknown as Duplex, () => resolve()) })
  stream.destroy()
  await t.resolves(ended)
})

t.test('packets may go straight to the parser after one readable, with a connection that never has anything to read and cannot cork', async t => {
  const { aedes } = await openPlain(t)
  const stream = new LeastStream()
  const client = aedes.handle(stream as unknown as Duplex) as Client & { _parser: { parse (bytes: Buffer): void } }
  stream.emit('readable')
  client._parser.parse(packets.connect({ clientId: 'a' }))
  const [, accepted] = await once(aedes, 'connackSent') as [unknown, Client]
  t.equal(accepted, client)
  t.equal(client.conn, stream)
  await once(aedes, 'clientReady')
  t.same(Buffer.concat(stream.written), Buffer.from([0x20, 2, 0, 0]))
  client._parser.parse(Buffer.concat([packets.publish({ topic: 'x', qos: 1, id: 1 }), packets.publish({ topic: 'x', qos: 1, id: 2 })]))
  t.same(Buffer.concat(stream.written).subarray(4), Buffer.concat([packets.puback(1), packets.puback(2)]), 'handled within the call')
  stream.destroy()
  await once(aedes, 'clientDisconnect')
  t.equal(client.closed, true)
})

t.test('keep alive 0 in preConnect switches the keep alive of Aedes off', async t => {
  const { url, clients } = await openPlain(t, {
    preConnect: (_client, packet, done) => {
      t.equal(packet.keepalive, 20)
      packet.keepalive = 0
      done(null, true)
    }
  })
  await connectRaw(t, url, { clientId: 'a', keepalive: 20 })
  t.equal((clients[0] as Client & { _keepaliveTimer: unknown })._keepaliveTimer, null)
})

t.test('the error of authenticate becomes the CONNACK; connackSent tells its code', async t => {
  const { aedes, url } = await openPlain(t, { authenticate: (_client, _name, _password, done) => done(Object.assign(new Error('no'), { returnCode: 5 as const }), false) })
  const told = once(aedes, 'connackSent')
  await t.rejects(connectRaw(t, url, { clientId: 'a' }), /CONNACK 5/)
  t.match(await told, [{ returnCode: 5 }])
})

t.test('the hook gets the packet that publish gets, with its length, and a packet id; a will has no cmd', async t => {
  const hooked: Array<Record<string, unknown>> = []
  const isOwn = (packet: unknown): boolean => (packet as { topic: string }).topic.startsWith('$SYS')
  const { aedes, url } = await openPlain(t, {
    authorizePublish: (_client, packet, pass) => {
      hooked.push(packet as unknown as Record<string, unknown>)
      pass(null)
    }
  })
  const published: unknown[] = []
  const publish = aedes.publish.bind(aedes)
  aedes.publish = (...args) => {
    if (!isOwn(args[0])) published.push(args[0])
    publish(...args)
  }
  const client = await connectRaw(t, url, { clientId: 'a', will: { topic: 'will', payload: 'x', qos: 1 } })
  for (const qos of [0, 1, 2] as const) client.send(packets.publish({ topic: 'x', payload: 'four', qos, id: 9 }))
  await client.next('pubrec')
  const gone = once(aedes, 'clientDisconnect')
  await client.vanish()
  await gone
  t.equal(published.length, 4)
  t.ok(published.every(packet => hooked.includes(packet as Record<string, unknown>)), 'the same objects')
  t.same(hooked.map(({ cmd }) => cmd), ['publish', 'publish', 'publish', undefined])
  t.same(hooked.map(({ length }) => length), [7, 9, 9, undefined])
})

t.test('PUBACK is written within the call that lets the packet pass', async t => {
  const passes: Array<() => void> = []
  const { url, clients } = await openPlain(t, { authorizePublish: (_client, _packet, pass) => { passes.push(() => pass(null)) } })
  const client = await connectRaw(t, url, { clientId: 'a' })
  client.send(packets.publish({ topic: 'x', qos: 1, id: 3 }))
  while (passes.length === 0) await client.ping()
  const before = clients[0]!.conn.writableLength
  passes[0]!()
  t.ok(clients[0]!.conn.writableLength > before)
  t.match(await client.next('puback'), { id: 3 })
})

t.test('a subscription is added and removed through the methods of the broker, with the same function', async t => {
  const { aedes, url } = await openPlain(t)
  const calls: unknown[][] = []
  for (const name of ['subscribe', 'unsubscribe'] as const) {
    const method = aedes[name].bind(aedes)
    aedes[name] = (...args: unknown[]) => {
      calls.push([name, args[0], args[1]])
      method(...args)
    }
  }
  const client = await connectRaw(t, url, { clientId: 'a' })
  await client.subscribe(['x/#', 1], ['y', 0])
  client.send(packets.unsubscribe(2, 'y'))
  await client.next('unsuback')
  const gone = once(aedes, 'clientDisconnect')
  await client.vanish()
  await gone
  t.same(calls.map(([name, filter]) => `${String(name)} ${String(filter)}`), ['subscribe x/#', 'subscribe y', 'unsubscribe y', 'unsubscribe x/#'])
  t.equal(calls[0]![2], calls[3]![2])
  t.equal(calls[1]![2], calls[2]![2])
})

t.test('who listens to a topic is in the matcher of mq before SUBACK; what a session keeps is added by addSubscriptions, and stays when it has gone', async t => {
  const { aedes, url } = await openPlain(t)
  const added: unknown[] = []
  const add = aedes.persistence.addSubscriptions.bind(aedes.persistence)
  aedes.persistence.addSubscriptions = async (client, subscriptions) => {
    added.push(subscriptions)
    await add(client, subscriptions)
  }
  const listened = async (): Promise<[live: number, kept: number]> => [aedes.mq._matcher.match('x/y').length, (await aedes.persistence.subscriptionsByTopic('x/y')).length]
  t.same(await listened(), [0, 0])
  const clean = await connectRaw(t, url, { clientId: 'a' })
  await clean.subscribe(['x/+', 0])
  t.same(await listened(), [1, 0])
  const keeping = await connectRaw(t, url, { clientId: 'b', clean: false })
  await keeping.subscribe(['x/#', 1])
  t.same(await listened(), [2, 1])
  t.match(added.at(-1), [{ topic: 'x/#', qos: 1 }])
  const gone = once(aedes, 'clientDisconnect')
  await keeping.vanish()
  await gone
  t.equal((await listened())[1], 1)
})

t.test('a message goes out through mq.emit, and its publish ends when that calls back', async t => {
  const { aedes } = await openPlain(t)
  const emit = aedes.mq.emit.bind(aedes.mq)
  let callback = (): void => {}
  aedes.mq.emit = (packet, done) => {
    emit(packet, () => {})
    callback = done
  }
  let ended = false
  aedes.publish({ topic: 'x', payload: Buffer.alloc(0), qos: 0, retain: false }, () => { ended = true })
  t.equal(ended, false)
  callback()
  t.equal(ended, true)
  t.equal(aedes.mq.closed, false)
})

t.test('incomingGetPacket knows the id of a QoS 2 packet from its publish to its PUBREL', async t => {
  const { aedes, url, clients } = await openPlain(t)
  const client = await connectRaw(t, url, { clientId: 'a' })
  const known = async (): Promise<boolean> => await aedes.persistence.incomingGetPacket(clients[0]!, { messageId: 4 }).then(() => true, () => false)
  t.equal(await known(), false)
  client.send(packets.publish({ topic: 'x', qos: 2, id: 4 }))
  await client.next('pubrec')
  t.equal(await known(), true)
  client.send(packets.pubrel(4))
  await client.next('pubcomp')
  t.equal(await known(), false)
})

t.test('authorizeSubscribe is asked, and awaited, before the retained messages are read', async t => {
  const { aedes, url } = await openPlain(t, {
    authorizeSubscribe: (_client, subscription, done) => {
      aedes.publish({ topic: 'kept', payload: Buffer.from('now'), qos: 0, retain: true, cmd: 'publish', dup: false }, () => setImmediate(done, null, subscription))
    }
  })
  const client = await connectRaw(t, url, { clientId: 'a' })
  await client.subscribe(['kept', 0])
  t.match(await client.next('publish'), { payload: Buffer.from('now'), retain: true })
})

t.test('a filter that is refused is answered with 128', async t => {
  const { url } = await openPlain(t, { authorizeSubscribe: (_client, _subscription, done) => done(null, null) })
  const client = await openRaw(t, url)
  client.send(packets.connect({ clientId: 'a' }))
  await client.next('connack')
  t.same(await client.subscribe(['x', 1]), [128])
})

t.test('what goes out to a client passes its two deliver functions: once for each filter that matches, and for retained messages', async t => {
  const { aedes, url, clients } = await openPlain(t)
  const client = await connectRaw(t, url, { clientId: 'a' })
  interface Delivered { topic: string, brokerId: string | null, brokerCounter: number, retain: boolean }
  const delivered: Array<Delivered & { by: string }> = []
  const delivering = clients[0] as unknown as Record<'deliver0' | 'deliverQoS', (packet: Delivered, done: () => void) => void>
  for (const by of ['deliver0', 'deliverQoS'] as const) {
    delivering[by] = (packet, done) => {
      delivered.push({ ...packet, by })
      done()
    }
  }
  await new Promise<void>(resolve => aedes.publish({ topic: 'kept', payload: Buffer.from('x'), qos: 0, retain: true, cmd: 'publish', dup: false }, () => resolve()))
  await client.subscribe(['kept', 0], ['#', 1])
  while (delivered.length < 2) await client.ping()
  t.ok(delivered.every(({ brokerId, retain }) => brokerId === null && retain), 'retained')
  await new Promise<void>(resolve => aedes.publish({ topic: 'kept', payload: Buffer.from('y'), qos: 2, retain: true, cmd: 'publish', dup: false }, () => resolve()))
  await client.ping()
  t.match(delivered.slice(2).map(({ by }) => by).sort(), ['deliver0', 'deliverQoS'])
  t.equal(delivered[2]!.brokerCounter, delivered[3]!.brokerCounter)
  t.notSame(delivered[2]!.brokerId, null)
})

t.test('PUBACK and PUBCOMP of a clean session come to outgoingClearMessageId with their name and id', async t => {
  const { aedes, url } = await openPlain(t)
  const persistence = aedes.persistence as unknown as { outgoingClearMessageId (client: object, packet: { cmd: string, messageId: number }): Promise<unknown> }
  const told: unknown[] = []
  persistence.outgoingClearMessageId = async (_client, { cmd, messageId }) => { told.push([cmd, messageId]) }
  const client = await connectRaw(t, url, { clientId: 'a' })
  client.send(packets.puback(7), packets.pubcomp(8))
  await client.ping()
  t.same(told, [['puback', 7], ['pubcomp', 8]])
})

t.test('a SUBSCRIBE without a packet id is not answered; its callback comes before the retained messages', async t => {
  const { aedes, url, clients } = await openPlain(t)
  const client = await connectRaw(t, url, { clientId: 'a' })
  await new Promise<void>(resolve => aedes.publish({ topic: 'kept', payload: Buffer.from('x'), qos: 0, retain: true, cmd: 'publish', dup: false }, () => resolve()))
  await new Promise<void>(resolve => clients[0]!.subscribe({ subscriptions: [{ topic: 'kept', qos: 0 }] } as unknown as Parameters<Client['subscribe']>[0], () => {
    t.same(client.received.map(({ type }) => type), ['connack'])
    resolve()
  }))
  t.match(await client.next(), { type: 'publish', topic: 'kept' })
})
