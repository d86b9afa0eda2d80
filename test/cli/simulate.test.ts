import t from 'tap'
import { runCli, startCli } from '../helpers/cli.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { openClient, untilSettled } from '../helpers/settled.ts'

t.test('a fleet, a published reading and a tail on a real gateway: what was acknowledged is in the table, and was seen live', async t => {
  const gateway = await startTestGateway(t)
  await untilReady(gateway.httpUrl)
  const env = { ISOBAR_MQTT: gateway.mqttUrl, ISOBAR_DATA: gateway.dataDir }
  const tail = startCli(t, ['tail', '--json'], { env })
  for (let tries = 0; !await Promise.race([tail.until(/test-1/).then(() => true), runCli(t, ['publish', '--boot', '7', '--seq', String(tries)], { env }).then(() => false)]); tries++);

  const fleet = startCli(t, ['simulate', '--devices', '40', '--interval', '100ms', '--batch', '3', '--prefix', 'hall', '--duration', '2s'], { env })
  const { code, stdout, stderr } = await fleet.ended
  t.same({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /^isobar \S+: 40 devices, hall-1 to hall-40, each with a reading every 100 ms in messages of 3, seed 1\.\nThey publish to mqtt:.*\n\nStopping\.\n.* 0 connected .*\n\n40 devices in \S+ s:\n {2}readings .*\n {2}network {4}0 outages, .*\n {2}clock .*\n {2}sensor .*\n$/)
  const [, published, acknowledged] = /(\d+) published {2}(\d+) acknowledged {2}0 in flight {2}0 waiting/.exec(stdout) ?? []
  t.equal(published, acknowledged)

  await untilSettled(gateway.httpUrl)
  const client = await openClient(t, gateway.databaseUrl)
  const { rows } = await client.query<{ readings: string, devices: string }>("select count(*) as readings, count(distinct device_id) as devices from readings where device_id like 'hall-%'")
  t.same(rows, [{ readings: acknowledged, devices: '40' }])
  const births = await client.query<{ states: string[] }>("select array_agg(distinct state || ' ' || sensor) as states from devices where device_id like 'hall-%'")
  t.same(births.rows, [{ states: ['offline bmp180 (fleet)'] }])

  const seen = (stdout: string): number => stdout.split('\n').slice(0, -1).filter(line => line.includes('"device_id":"hall-') && !line.includes('"verdict"')).length
  await tail.until(stdout => seen(stdout) >= Number(acknowledged)) // it prints in a process of its own
  tail.child.kill('SIGINT')
  const ended = await tail.ended
  t.equal(ended.code, 0)
  t.equal(seen(ended.stdout), Number(acknowledged))
})

t.test('a fleet in two processes that suffers every fault: every acknowledged reading is in the table, each once, and each fault shows there', async t => {
  const gateway = await startTestGateway(t)
  await untilReady(gateway.httpUrl)
  const env = { ISOBAR_MQTT: gateway.mqttUrl, ISOBAR_DATA: gateway.dataDir, ISOBAR_LOG_LEVEL: 'silent' }
  const fleet = startCli(t, ['simulate', '--devices', '20', '--processes', '2', '--interval', '50ms', '--faults', 'all', '--fault-every', '25', '--prefix', 'ward', '--seed', '5'], { env })
  await fleet.until(/\n.* (\d{4,}|[3-9]\d\d) acknowledged/)
  fleet.child.kill('SIGTERM')
  const { code, stdout, stderr } = await fleet.ended
  t.match(stdout, /seed 5, in 2 processes; faults: outages, drops, duplicates, clock, sensor\./)
  const report = stdout.slice(stdout.indexOf(' devices in '))
  const figures = (report.slice(report.indexOf(':')).match(/\d+/g) ?? []).map(Number)
  const [made, acknowledged, notAcknowledged, dropped, , outages, drops, repeated, restarts, steps, withoutValues, implausible] = figures
  t.same([acknowledged! + notAcknowledged!, dropped], [made, 0])
  t.same({ code, isSaid: stderr.includes('ISO_CLI_UNACKNOWLEDGED') }, notAcknowledged === 0 ? { code: 0, isSaid: false } : { code: 1, isSaid: true }) // a slow machine does not drain all in 2 s
  t.ok([outages, drops, repeated, restarts, steps, withoutValues, implausible].every(count => count! > 0), report)

  await untilSettled(gateway.httpUrl)
  const client = await openClient(t, gateway.databaseUrl)
  const count = async (what: string): Promise<number> => Number((await client.query<{ n: string }>(`select ${what} as n from readings where device_id like 'ward-%'`)).rows[0]!.n)
  const rows = await count('count(*)')
  t.ok(rows >= acknowledged! && rows <= made!, `${rows} rows of ${acknowledged} acknowledged and ${made} made readings`)
  t.equal(await count('count(distinct (device_id, boot, seq))'), rows, 'each once')
  t.equal(await count('count(distinct device_id)'), 20)
  if (rows === made) {
    const boots = await count('count(distinct boot)')
    t.ok(boots > 20 && boots <= 20 + restarts!, `${boots} boots after ${restarts} restarts: a slow machine misses the only readings of some`)
    t.equal(await count('count(*) filter (where pressure_hpa is null)'), withoutValues)
  }
  t.ok(await count('count(*) filter (where quality = 4)') > 0, 'values that cannot be are flagged')
  const { readings: { duplicate, dead } } = await untilSettled(gateway.httpUrl)
  t.ok(duplicate >= repeated!, `${duplicate} duplicates of ${repeated} readings that were sent again`)
  t.equal(dead, 0)
})

t.test('what is not acknowledged at the end is told, and the exit code is 1', async t => {
  const { code, stdout, stderr } = await runCli(t, ['simulate', '--devices', '2', '--interval', '50ms', '--duration', '300ms', '--url', 'mqtt://user:hush@127.0.0.1:1'])
  t.equal(code, 1)
  t.match(stdout, /0 published {2}0 acknowledged/)
  t.match(stderr, /isobar: not everything was acknowledged: (\d+) of \1 readings \[ISO_CLI_UNACKNOWLEDGED\]/)
  t.match(stderr, /ECONNREFUSED/, 'the log says why')
  t.notMatch(stdout + stderr, 'hush')
})

t.test('options that cannot be meant are refused', async t => {
  for (const [args, sentence] of [
    [['--devices', '0'], /whole number from 1 to 20000/], [['--interval', '5ms'], /duration such as .* from 10/], [['--batch', '501'], /from 1 to 500/],
    [['--seed', 'x'], /whole number/], [['--prefix', 'Hall'], /small letters/], [['--duration', 'long'], /duration such as/],
    [['--faults', 'outages,rain'], /all, or some of outages,drops/], [['--fault-every', '1'], /from 2 to/], [['--processes', '0'], /from 1 to 64/]
  ] as const) t.match(await runCli(t, ['simulate', ...args]), { code: 2, stderr: sentence }, args.join(' '))
})
