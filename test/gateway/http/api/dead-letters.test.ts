import t, { type Test } from 'tap'
import { createLetters, type Letters } from '../../../../bridge/letters.ts'
import { deadLettersRoutes } from '../../../../gateway/http/api/dead-letters.ts'
import { openHttpServer } from '../../../../gateway/http/server.ts'
import { httpDefaults } from '../../../helpers/http.ts'
import { IsobarError } from '../../../../lib/errors.ts'
import { createLog } from '../../../../lib/log.ts'
import { type LetterWorkAnswer, type LetterWorkRequest } from '../../../../schemas/dead-letter.ts'
import { openTestSchema } from '../../../helpers/bridge.ts'
import { openTestDatabase } from '../../../helpers/database.ts'
import { insertLetters } from '../../../helpers/letters.ts'

t.test('the API of dead letters', async t => {
  const { url } = await openTestDatabase(t)
  const database = await openTestSchema(t, url)
  await insertLetters(database, 5, n => ({ deviceId: n < 3 ? 'a' : 'b', code: n === 0 ? 'ISO_READING_TIME' : 'ISO_TELEMETRY_CBOR', at: 1_000_000 * n, state: n === 4 ? 'dropped' : 'open' }))
  const letters = async <T>(use: (letters: Letters) => Promise<T>): Promise<T> => await use(createLetters(database))

  async function open (t: Test, job: (request: LetterWorkRequest) => Promise<LetterWorkAnswer>): Promise<string> {
    const server = await openHttpServer({ ...httpDefaults, url: 'http://127.0.0.1:0', token: undefined }, [deadLettersRoutes({ letters, work: { replay: job, drop: job } })], createLog('silent'))
    t.teardown(async () => await server.close())
    return `${server.url}/api/v1/dead-letters`
  }

  const never = async (): Promise<never> => await Promise.reject(new Error('it should not have been called'))
  const post = async (url: string, body: unknown): Promise<{ status: number, body: unknown }> => {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return { status: response.status, body: await response.json() }
  }

  t.test('open letters are listed, the newest first, without their payloads', async t => {
    const api = await open(t, never)
    const list = async (query: string): Promise<{ total: number, letters: Array<{ at: number }> }> => await (await fetch(`${api}${query}`)).json() as { total: number, letters: Array<{ at: number }> }
    const all = await list('')
    t.same(all.letters.map(({ at }) => at), [3_000_000, 2_000_000, 1_000_000, 0])
    t.match(all, { total: 4, letters: [{ device_id: 'b', state: 'open', seqs: [], times: 1 }] })
    t.notOk(Object.hasOwn(all.letters[0]!, 'payload'))
    t.match(await list('?limit=1'), { total: 4, letters: { length: 1 } })
    t.match(await list('?device=a&code=ISO_TELEMETRY_CBOR&since=2000000'), { total: 1, letters: [{ at: 2_000_000 }] })
    t.match(await list('?device=a&device=b'), { total: 4 })
    t.match(await list('?state=dropped'), { total: 1, letters: [{ at: 4_000_000 }] })
  })

  t.test('a request is checked before anything is done', async t => {
    const api = await open(t, never)
    for (const body of [{ ids: ['xyz'] }, { ids: [] }, { since: 'yesterday' }, { all: false }, { all: true, limit: 100_000 }, [], 'all']) {
      t.match(await post(`${api}/replay`, body), { status: 400, body: { code: 'ISO_HTTP_REQUEST' } }, JSON.stringify(body))
    }
    t.equal((await fetch(`${api}?limit=0`)).status, 400)
    t.equal((await fetch(`${api}/replay`)).status, 404, 'looking replays nothing')
  })

  t.test('an answer comes as it is, an error with its code', async t => {
    const answer = { letters: 1, readings: 2, done: 1, deadAgain: 0, underWay: 0, passedOver: 0, next: null }
    const asked: LetterWorkRequest[] = []
    const api = await open(t, async request => {
      asked.push(request)
      if (request.all === true) throw new IsobarError('ISO_REPLAY_FULL')
      if (request.ids !== undefined) throw new IsobarError('ISO_LETTER_UNKNOWN', { detail: 'abcd' })
      return answer
    })
    t.same(await post(`${api}/drop`, { devices: ['a'], dryRun: true, limit: 7 }), { status: 200, body: answer })
    t.same(asked, [{ devices: ['a'], dryRun: true, limit: 7 }])
    t.match(await post(`${api}/replay`, { all: true }), { status: 503, body: { code: 'ISO_REPLAY_FULL' } })
    t.match(await post(`${api}/replay`, { ids: ['abcd'] }), { status: 404, body: { code: 'ISO_LETTER_UNKNOWN', error: 'there is no such dead letter: abcd' } })
  })
})
