import t from 'tap'
import { runLoad } from '../../bench/load.ts'
import { openClient, untilSettled } from '../helpers/settled.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { Oracle } from '../helpers/oracle.ts'

const kills = 5
const messages = 60_000

t.test('a gateway killed five times under load has every acknowledged reading in the table exactly once', async t => {
  const gateway = await startTestGateway(t)
  await untilReady(gateway.httpUrl)
  const oracle = new Oracle()
  const { hostname: host, port } = new URL(gateway.mqttUrl)
  const load = runLoad({ host, port: Number(port), connections: 10, inFlight: 100, rowsPerMessage: 1, messages, seed: 7, onAck: oracle.acked })
  for (let kill = 1; kill <= kills; kill++) {
    await oracle.reached(Math.floor(messages * kill / (kills + 1)))
    await gateway.kill('SIGKILL')
    await gateway.restart()
  }
  const { acked, reconnects } = await load
  t.equal(acked, messages, 'all were acknowledged in the end')
  t.ok(reconnects >= kills, `connections were lost: ${reconnects}`)

  const { readings } = await untilSettled(gateway.httpUrl)
  const client = await openClient(t, gateway.databaseUrl)
  t.strictSame(await oracle.verdict(client), { missing: [], doubled: [] })
  t.equal(readings.received, readings.stored + readings.duplicate + readings.dead, 'the books balance')
  t.equal(readings.dead, 0)
  t.equal(readings.stored, oracle.readings, 'each reading is stored once, and a repeat is a duplicate')
})
