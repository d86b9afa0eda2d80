import t from 'tap'
import { Closings } from '../../broker/closings.ts'
import { createStats } from '../../broker/stats.ts'
import { createTestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'

t.test('every closing is counted; the log has one line a rule in ten seconds, with how many there were', async t => {
  const clock = createTestClock()
  const stats = createStats()
  const { log, lines } = createTestLog()
  const closings = new Closings({ clock, log, stats })
  const peer = { address: '10.0.0.1', clientId: 'dev-1' }
  for (let i = 0; i < 5; i++) closings.closed('keepalive', peer)
  closings.closed('packetSize', { ...peer, clientId: null })
  t.match(lines, [{ rule: 'keepalive', connections: 1, ...peer }, { rule: 'packetSize', connections: 1, clientId: null }])
  t.equal(lines.length, 2)
  await clock.advance(10_000)
  closings.closed('keepalive', peer)
  t.match(lines[2], { rule: 'keepalive', connections: 5, because: /keep alive/ })
  t.match(stats.closed, { keepalive: 6, packetSize: 1, firstPacket: 0 })
})
