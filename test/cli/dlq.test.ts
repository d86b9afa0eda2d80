import t, { type Test } from 'tap'
import { sentences } from '../../cli/dlq-work.ts'
import { openDatabase } from '../../bridge/database.ts'
import { migrate } from '../../bridge/migrate.ts'
import { createLog } from '../../lib/log.ts'
import { encodeTelemetry } from '../../schemas/telemetry.ts'
import { runCli, type CliResult } from '../helpers/cli.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { insertLetters } from '../helpers/letters.ts'

const log = createLog('silent')
const telemetry = encodeTelemetry({ boot: 7, clock: 0, status: 0, readings: [{ seq: 3, ts: 1_790_000_000_000, temperatureDeciC: 215, pressurePa: 101_325 }] })

t.test('list and show', async t => {
  const { url } = await openTestDatabase(t)
  const database = await openDatabase({ url, statementTimeoutMs: 30_000, poolSize: 1 }, log)
  t.teardown(async () => await database.close())
  await migrate(database, log)
  const ids = await insertLetters(database, 4, n => ({
    deviceId: n < 2 ? 'a' : 'b',
    at: Date.now() - n * 86_400_000,
    state: n === 3 ? 'replayed' : 'open',
    ...(n === 1 ? { topic: 'iot/v1/a/tele', payload: telemetry } : n === 2 ? { topic: 'iot/v1/b/state', payload: Buffer.from('lost \u001b[2J') } : {})
  }))
  const dlq = async (t: Test, ...args: string[]): Promise<CliResult> => await runCli(t, ['dlq', ...args], { env: { CRATE_URL: url } })

  await t.test('open letters are listed, the newest first; the rest is counted', async t => {
    const { code, stdout, stderr } = await dlq(t, 'list', '-n', '2')
    t.same({ code, stderr }, { code: 0, stderr: '1 more; -n shows them\n' })
    t.same(stdout.split('\n').slice(2, 4).map(line => line.slice(0, 12)), [ids[0]!.slice(0, 12), ids[1]!.slice(0, 12)])
    t.match(stdout, '(2 rows)')
  })

  await t.test('filters and states', async t => {
    const found = async (...args: string[]): Promise<string[]> => (JSON.parse((await dlq(t, 'list', '--json', ...args)).stdout) as Array<{ id: string }>).map(({ id }) => id)
    t.same(await found('--device', 'b'), [ids[2]])
    t.same(await found('--since', '36h', '--device', 'a', 'b'), [ids[0], ids[1]])
    t.same(await found('--all'), ids)
    t.same(await found('--state', 'replayed'), [ids[3]])
  })

  await t.test('one is shown with what to do, and its bytes explained', async t => {
    const { code, stdout } = await dlq(t, 'show', ids[1]!.slice(0, 10))
    t.equal(code, 0)
    t.match(stdout, new RegExp(`^id +${ids[1]}\nstate +open\n`))
    t.match(stdout, /^what to do +Look at the dead letter/m)
    t.ok(stdout.includes(`\n${telemetry.toString('base64')}\n`))
    t.match(stdout, '1 reading of boot 7, seq 3')
  })

  await t.test('what is no telemetry is shown as text that steers no terminal; for programs it is base64', async t => {
    t.match((await dlq(t, 'show', ids[2]!)).stdout, /^lost \\x1b\[2J$/m)
    t.match(JSON.parse((await dlq(t, 'show', ids[2]!, '--json')).stdout), { id: ids[2], topic: 'iot/v1/b/state', payload: Buffer.from('lost \u001b[2J').toString('base64') })
  })

  await t.test('an id that nobody has is an error with its code', async t => {
    const { code, stderr } = await dlq(t, 'show', '00000000')
    t.equal(code, 1)
    t.match(stderr, /no such dead letter: 00000000 \[ISO_LETTER_UNKNOWN\]/)
  })
})

t.test('wrong usage says what is meant', async t => {
  const usages: ReadonlyArray<[readonly string[], RegExp]> = [
    [['replay'], /say which: ids, --device, --code or --since; or --all/],
    [['drop', '--json'], /say which/],
    [['replay', 'xyz'], /An id has 32 hex digits/],
    [['list', '--since', 'yesterday'], /must be a date.*or a duration such as 2h or 7d/],
    [['list', '--all', '--state', 'open'], /cannot be used with/]
  ]
  for (const [args, sentence] of usages) {
    const { code, stdout, stderr } = await runCli(t, ['dlq', ...args])
    t.equal(code, 2, args.join(' '))
    t.match(stderr, sentence)
    t.equal(stdout, '')
  }
})

t.test('without a gateway replay and drop say so', async t => {
  const { code, stderr } = await runCli(t, ['dlq', 'replay', '--all'], { env: { ISOBAR_HTTP: 'http://127.0.0.1:1' } })
  t.equal(code, 1)
  t.match(stderr, /^isobar: the gateway does not answer over HTTP: http:\/\/127\.0\.0\.1:1: .*\[ISO_CLI_HTTP\]\. Start it/)
})

t.test('what it came to is said in sentences', async t => {
  const counts = { letters: 12, readings: 30, done: 8, deadAgain: 1, underWay: 2, passedOver: 1 }
  t.same(sentences('replay', counts, true), ['12 dead letters with 30 readings would be replayed.'])
  t.match(sentences('replay', counts, false), [/^8 dead letters replayed\.$/, /^1 dead letter is dead again/, /^2 dead letters are still under way/, /^1 dead letter was passed over/])
  t.same(sentences('drop', { letters: 1, readings: 1, done: 1, deadAgain: 0, underWay: 0, passedOver: 0 }, false), ['1 dead letter dropped.'])
  t.same(sentences('drop', { letters: 0, readings: 0, done: 0, deadAgain: 0, underWay: 0, passedOver: 0 }, true), ['No open dead letter matches.'])
})
