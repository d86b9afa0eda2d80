import t from 'tap'
import { ErrorTopic } from '../../gateway/error-topic.ts'
import { Topics, type DeviceId } from '../../schemas/topics.ts'
import { createTestLog } from '../helpers/log.ts'

t.test('each notice goes to the topic of its device; before the broker is there nobody listens, and none that fails is an error', async t => {
  const { log, lines } = createTestLog('debug')
  const published: string[][] = []
  const errors = new ErrorTopic(new Topics('iot/v1'), log)
  const notices = { devices: ['a', 'b', 'a'] as DeviceId[], payloads: ['1', '2', '3'] }
  errors.take(notices)
  errors.open(async (topic, payload) => {
    published.push([topic, payload])
    if (payload === '2') throw new Error('the broker is closed')
  })
  errors.take(notices)
  t.same(published, [['iot/v1/a/error', '1'], ['iot/v1/b/error', '2'], ['iot/v1/a/error', '3']])
  await new Promise(resolve => setImmediate(resolve))
  t.match(lines, [{ device: 'b', msg: /could not be told/ }])
})
