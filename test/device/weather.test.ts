import t from 'tap'
import { seededRandom } from '../../lib/random.ts'
import { createWeather } from '../../device/weather.ts'

const hourMs = 3_600_000

t.test('a week of weather stays in what a room and the air can be, and moves slowly', async t => {
  for (const seed of [0, 1, 0xdead_beef, 0xffff_ffff]) {
    const weather = createWeather(seed)
    let before = weather(1_790_000_000_000)
    for (let minute = 1; minute <= 7 * 24 * 60; minute++) {
      const air = weather(1_790_000_000_000 + minute * 60_000)
      if (!(air.temperatureC > 15 && air.temperatureC < 27)) t.fail('no room', air)
      if (!(air.pressurePa > 93_000 && air.pressurePa < 103_000)) t.fail('no air', air)
      if (Math.abs(air.pressurePa - before.pressurePa) > 20 || Math.abs(air.temperatureC - before.temperatureC) > 0.1) t.fail('too fast', { before, air })
      before = air
    }
  }
})

t.test('weather is a function of time and seed, and it changes within hours', async t => {
  t.same(createWeather(7)(1_790_000_000_000), createWeather(7)(1_790_000_000_000))
  t.strictNotSame(createWeather(7)(1_790_000_000_000), createWeather(8)(1_790_000_000_000))
  t.strictNotSame(createWeather(7)(1_790_000_000_000), createWeather(7)(1_790_000_000_000 + 3 * hourMs))
})

t.test('two seeds in one house differ in pressure by a constant', async t => {
  const [one, other] = [createWeather(1), createWeather(2)]
  const difference = (ts: number): number => one(ts).pressurePa - other(ts).pressurePa
  t.ok(Math.abs(difference(0) - difference(30 * hourMs)) < 1e-6)
})

t.test('random numbers are even, and the same for the same seed', async t => {
  const random = seededRandom(42)
  const drawn = Array.from({ length: 10_000 }, random)
  t.ok(drawn.every(x => x >= 0 && x < 1))
  t.ok(Math.abs(drawn.reduce((sum, x) => sum + x, 0) / drawn.length - 0.5) < 0.02)
  const again = seededRandom(42)
  t.same(drawn.slice(0, 10), Array.from({ length: 10 }, again))
})
