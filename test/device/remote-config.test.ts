import t, { type Test } from 'tap'
import { RemoteConfig, type Values } from '../../device/remote-config.ts'
import { createTestClock, type TestClock } from '../helpers/clock.ts'
import { createTestLog } from '../helpers/log.ts'

const base: Values = { intervalMs: 1000, oversampling: 3, batch: 1, logLevel: 'warn' }

function open (t: Test, file: string | null = `${t.testdir()}/config.json`): { config: RemoteConfig, clock: TestClock, applied: Values[], file: string | null } {
  const clock = createTestClock()
  const applied: Values[] = []
  return { config: new RemoteConfig({ base, file, apply: values => { applied.push(values) }, clock, log: createTestLog('silent').log }), clock, applied, file }
}

const set = (value: object): Buffer => Buffer.from(JSON.stringify(value))

t.test('what is left out has the value of the own settings, and an empty payload takes everything back', async t => {
  const { config, applied } = open(t)
  config.receive(set({ version: 1, batch: 10 }))
  t.same(config.values, { ...base, batch: 10 })
  config.receive(set({ version: 2, intervalMs: 5000 }))
  t.same(config.values, { ...base, intervalMs: 5000 })
  config.receive(Buffer.alloc(0))
  t.same(config.report, { version: 0, ok: true, values: base })
  t.equal(applied.length, 4, 'once at the start, and at each change')
})

t.test('a connection that does not come back within 3 minutes rolls it back, says so, and that version is not taken again', async t => {
  const { config, clock, applied } = open(t)
  config.look(true)
  config.receive(set({ version: 1, batch: 10 }))
  await clock.advance(61_000)
  config.look(true)
  config.receive(set({ version: 2, intervalMs: 10 }))
  await clock.advance(30_000)
  config.look(false)
  await clock.advance(179_000)
  config.look(false)
  t.equal(config.values.intervalMs, 10)
  await clock.advance(1_000)
  config.look(false)
  t.same(applied.at(-1), { ...base, batch: 10 }, 'back to what had proven itself')
  config.look(true)
  config.receive(set({ version: 2, intervalMs: 10 }))
  t.match(config.report, { version: 2, ok: false, error: /rolled back.*within 3 minutes/, values: { intervalMs: 1000 } })
  config.receive(set({ version: 3, intervalMs: 20 }))
  t.match(config.report, { version: 3, ok: true })
})

t.test('a connection that comes back proves it', async t => {
  const { config, clock, file } = open(t)
  config.look(true)
  config.receive(set({ version: 1, batch: 10 }))
  config.look(false)
  await clock.advance(100_000)
  config.look(true)
  config.look(false)
  await clock.advance(1e6)
  config.look(false)
  t.match(config.report, { version: 1, ok: true })
  t.match(open(t, file).config.report, { version: 1, ok: true, values: { batch: 10 } })
})

t.test('a process that ends while it is on trial comes back without it', async t => {
  const { config, file } = open(t)
  config.receive(set({ version: 1, batch: 10 }))
  const again = open(t, file)
  t.match(again.config.report, { version: 1, ok: false, error: /rolled back: the agent ended/, values: base })
  t.same(again.applied, [base])
})

t.test('what is not valid is refused with what is wrong, and changes nothing', async t => {
  const { config, applied } = open(t)
  for (const [payload, error] of [['{', /JSON/], ['[]', /./], ['{"version":1,"intervalMs":9}', /intervalMs/], ['{"version":1,"batch":501}', /batch/], ['{"version":1,"logLevel":"loud"}', /logLevel/], ['{"version":1,"room":"x"}', /room/], ['{"batch":2}', /version/], [' '.repeat(5_000), /4096/]] as const) {
    config.receive(Buffer.from(payload))
    t.match(config.report, { ok: false, error, values: base }, payload.slice(0, 30))
  }
  t.equal(applied.length, 1)
})

t.test('a file that is no configuration is passed over', async t => {
  const dir = t.testdir({ 'a.json': '{', 'b.json': '{"desired":{"version":"x"},"before":null,"refused":null}' })
  for (const name of ['a', 'b']) t.match(open(t, `${dir}/${name}.json`).config.report, { version: 0, ok: true, values: base })
})
