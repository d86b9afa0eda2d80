import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import { booksRoutes } from '../../../../gateway/http/api/books.ts'
import { traceRoutes } from '../../../../gateway/http/api/trace.ts'
import { openHttpServer } from '../../../../gateway/http/server.ts'
import { httpDefaults } from '../../../helpers/http.ts'
import { IsobarError } from '../../../../lib/errors.ts'
import { createLog } from '../../../../lib/log.ts'
import { booksSchema, type Books } from '../../../../schemas/books.ts'
import { type Counters } from '../../../../schemas/delivery.ts'
import { type Question } from '../../../../schemas/thread.ts'
import { type DeviceId } from '../../../../schemas/topics.ts'

const counters = (received: number): Counters => ({ received, stored: received - 1, duplicate: 0, dead: 0, pending: 1, lastBoot: 7, lastSeq: received })

async function open (t: Test, devices: number): Promise<{ url: string, live: Map<DeviceId, Counters>, asked: Question[], answer: { text: string | IsobarError } }> {
  const live = new Map(Array.from({ length: devices }, (_, n) => [`dev-${n}` as DeviceId, counters(n + 1)]).reverse() as Array<[DeviceId, Counters]>)
  const asked: Question[] = []
  const answer: { text: string | IsobarError } = { text: '{}' }
  const ask = async (question: Question): Promise<string> => {
    asked.push(question)
    if (answer.text instanceof IsobarError) throw answer.text
    return answer.text
  }
  const totals = (): Counters => [...live.values()].reduce((sum, { received, stored, pending }) => ({ ...sum, received: sum.received + received, stored: sum.stored + stored, pending: sum.pending + pending }), counters(0))
  const inbox = { gatewayId: 'lab-0a1b2c3d', counters: () => live, totals }
  const server = await openHttpServer({ ...httpDefaults, url: 'http://127.0.0.1:0', token: undefined }, [booksRoutes({ inbox, bridge: { ask }, now: () => 1_790_000_000_000 }), traceRoutes({ ask })], createLog('silent'))
  t.teardown(async () => { await server.close() })
  return { url: `${server.url}/api/v1`, live, asked, answer }
}

const jsonOf = async (url: string): Promise<unknown> => await (await fetch(url)).json()

t.test('/api/v1/books has every device in order, and the totals', async t => {
  const { url } = await open(t, 3)
  const response = await fetch(`${url}/books`)
  t.match(response.headers.get('content-type'), /^application\/json/)
  const books = await response.json() as Books
  t.ok(Value.Check(booksSchema, books))
  t.match(books, { at: 1_790_000_000_000, gateway: 'lab-0a1b2c3d', devices: [{ device: 'dev-0', received: 1, stored: 0, pending: 1, lastBoot: 7, lastSeq: 1 }, { device: 'dev-1' }, { device: 'dev-2' }] })
})

t.test('without a device it is an empty list', async t => {
  const { url } = await open(t, 0)
  t.match(await jsonOf(`${url}/books`), { devices: [] })
})

t.test('devices can be named, once each and known', async t => {
  const { url } = await open(t, 5)
  const named = async (query: string): Promise<string[]> => (await jsonOf(`${url}/books?${query}`) as Books).devices.map(({ device }) => device)
  t.same(await named('device=dev-3'), ['dev-3'])
  t.same(await named('device=dev-3&device=dev-1&device=dev-3&device=other'), ['dev-1', 'dev-3'])
  t.equal((await fetch(`${url}/books?device=NO%20DEVICE`)).status, 400)
})

t.test('the books of many devices go out in pieces, and are those of one moment all the same', async t => {
  const { url, live } = await open(t, 5_000)
  const answer = fetch(`${url}/books`)
  const changing = setInterval(() => { for (const [device, { received }] of live) live.set(device, counters(received + 1)) }, 1)
  t.teardown(() => { clearInterval(changing) })
  const books = await (await answer).json() as Books
  clearInterval(changing)
  t.equal(books.devices.length, 5_000)
  t.equal(books.devices.reduce((sum, { received }) => sum + received, 0), books.totals.received, 'their sum is the total')
})

t.test('what only the bridge knows is asked of it, and its words are passed on', async t => {
  const { url, asked, answer } = await open(t, 1)
  answer.text = '{"some":"answer"}'
  for (const path of ['books/journal', 'gaps', 'gaps?device=dev-1', 'trace/dev-1/4294967295/0']) {
    const response = await fetch(`${url}/${path}`)
    t.match(response.headers.get('content-type'), /^application\/json/)
    t.same(await response.json(), { some: 'answer' })
  }
  t.same(asked, [{ kind: 'journal' }, { kind: 'gaps', deviceId: null }, { kind: 'gaps', deviceId: 'dev-1' }, { kind: 'trace', deviceId: 'dev-1', boot: 4_294_967_295, seq: 0 }])
})

t.test('a bridge that cannot answer is an error with its code', async t => {
  const { url, answer } = await open(t, 1)
  answer.text = new IsobarError('ISO_BRIDGE_AWAY')
  const response = await fetch(`${url}/gaps`)
  t.equal(response.status, 503)
  t.match(await response.json(), { code: 'ISO_BRIDGE_AWAY' })
})

t.test('a reading that cannot be is not asked for', async t => {
  const { url, asked } = await open(t, 1)
  for (const path of ['trace/gate%20way/1/1', 'trace/dev-1/-1/1', 'trace/dev-1/1/4294967296', 'trace/dev-1/x/1']) t.equal((await fetch(`${url}/${path}`)).status, 400, path)
  t.same(asked, [])
})
