import { Type, type Static } from '@sinclair/typebox'
import { type Letters } from '../../../bridge/letters.ts'
import { letterListSchema, letterWorkAnswer, letterWorkRequest, type LetterWorkRequest } from '../../../schemas/dead-letter.ts'
import { letterStates } from '../../../schemas/letter-state.ts'
import { type LetterWork } from '../../letter-work.ts'
import { type Routes } from '../server.ts'

export interface DeadLettersParts {
  readonly letters: <T>(use: (letters: Letters) => Promise<T>) => Promise<T>
  readonly work: Pick<LetterWork, 'replay' | 'drop'>
}

/** `?device=a&device=b`: once is no array. */
const some = (about: string) => Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())], { description: about }))

const listQuery = Type.Object({
  device: some('of these devices'),
  code: some('with these codes'),
  since: Type.Optional(Type.Integer({ minimum: 0, description: 'not older, epoch ms' })),
  state: Type.Optional(Type.Union(letterStates.map(state => Type.Literal(state)), { description: 'open when nothing is said' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 }))
})

/** `/api/v1/dead-letters`: the newest of them, without their payloads. `…/replay` and `…/drop`: one page of that work. */
export function deadLettersRoutes ({ letters, work }: DeadLettersParts): Routes {
  return server => {
    server.get<{ Querystring: Static<typeof listQuery> }>('/api/v1/dead-letters', { schema: { querystring: listQuery, response: { 200: letterListSchema } } }, async ({ query }) => {
      const { device, code, since, state = 'open', limit = 100 } = query
      const filter = { devices: listOf(device), codes: listOf(code), since }
      return await letters(async table => {
        await table.refresh()
        return { total: (await table.count(filter, [state])).letters, letters: await table.list(filter, [state], limit) }
      })
    })
    const schema = { body: letterWorkRequest, response: { 200: letterWorkAnswer } }
    server.post<{ Body: LetterWorkRequest }>('/api/v1/dead-letters/replay', { schema }, async ({ body }) => await work.replay(body))
    server.post<{ Body: LetterWorkRequest }>('/api/v1/dead-letters/drop', { schema }, async ({ body }) => await work.drop(body))
  }
}

function listOf (value: string | string[] | undefined): string[] | undefined {
  return value === undefined ? undefined : [value].flat()
}
