import t from 'tap'
import { createDice } from '../../../device/fleet/faults.ts'
import { ForgetfulOutbox } from '../../../device/fleet/forgetful-outbox.ts'
import { decodeTelemetry } from '../../../schemas/telemetry-decode.ts'

t.test('a message whose PUBACK is lost is sent again with the same readings, and counts once when it is acknowledged', async t => {
  const outbox = new ForgetfulOutbox({ batch: 1, maxReadings: 1_000 }, createDice('duplicates', { kinds: ['duplicates'], every: 3 }, 1))
  const sent: number[] = []
  for (let seq = 0; seq < 100; seq++) {
    outbox.push({ boot: 7, seq, ts: 1_790_000_000_000 + seq, temperatureDeciC: 210, pressurePa: 98_800, clock: 0, status: 0 })
    for (let message = outbox.next(); message !== null; message = await outbox.nextBacklog()) {
      const decoded = decodeTelemetry(message.payload)
      if (decoded.ok) sent.push(...decoded.telemetry.readings.map(reading => reading.seq))
      outbox.acknowledge(message)
    }
  }
  t.match(outbox, { size: 0, inFlight: 0, acknowledged: 100 })
  t.ok(outbox.repeated > 10, `${outbox.repeated} again`)
  t.equal(sent.length, 100 + outbox.repeated)
  t.equal(new Set(sent).size, 100)
})
