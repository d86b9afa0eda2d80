import t from 'tap'
import { openStatusTopic } from '../../gateway/status-topic.ts'
import { createLog } from '../../lib/log.ts'
import { type GatewayStatus } from '../../schemas/status.ts'
import { createTestClock } from '../helpers/clock.ts'

t.test('the status is published every ten seconds, and within one when something changes', async t => {
  const clock = createTestClock()
  const published: string[] = []
  let state: GatewayStatus['state'] = 'ok'
  const look = (): GatewayStatus => ({ at: clock.now(), state, cause: null, database: { kind: 'postgres', state: 'open', cause: null } } as GatewayStatus)
  const topic = openStatusTopic(look, async payload => { published.push((JSON.parse(payload) as GatewayStatus).state) }, { clock, log: createLog('silent') })

  await clock.advance(1_000)
  t.same(published, ['ok'])
  await clock.advance(9_000)
  t.same(published, ['ok'])
  await clock.advance(1_000)
  t.same(published, ['ok', 'ok'])
  state = 'held'
  await clock.advance(1_000)
  t.same(published, ['ok', 'ok', 'held'])
  await clock.advance(10_000)
  t.same(published, ['ok', 'ok', 'held', 'held'])
  await topic.close()
  await clock.advance(60_000)
  t.equal(published.length, 4, 'none after the close')
})
