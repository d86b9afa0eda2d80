import t from 'tap'
import { Rates } from '../../gateway/rates.ts'
import { createTestClock } from '../helpers/clock.ts'

t.test('the rate is that of the last ten seconds, whatever was before', async t => {
  const clock = createTestClock()
  const rates = new Rates(clock)
  t.same(rates.perSecond(), { received: 0, stored: 0, settled: 0 })
  const counted = { received: 0, stored: 0, settled: 0 }
  const second = async (received: number, stored: number, settled: number): Promise<void> => {
    rates.sample(counted)
    await clock.advance(1000)
    Object.assign(counted, { received: counted.received + received, stored: counted.stored + stored, settled: counted.settled + settled })
  }
  for (let n = 0; n < 20; n++) await second(1000, 500, 700)
  for (let n = 0; n < 10; n++) await second(3, 2, 2.5)
  rates.sample(counted)
  t.same(rates.perSecond(), { received: 3, stored: 2, settled: 2.5 })
})
