import t from 'tap'
import { decodeCounters, DeviceCounters } from '../../inbox/counters.ts'
import { type DeviceId } from '../../schemas/topics.ts'

const device = 'dev-1' as DeviceId
const end = { number: 1, deviceId: device, stored: 0, duplicate: 0, dead: 0 }

t.test('a draft changes nothing until it is applied', async t => {
  const counters = new DeviceCounters([])
  const draft = counters.draft()
  draft.received(device, 5, 7, 4)
  t.equal(counters.devices.size, 0)
  t.match(counters.totals, { received: 0, pending: 0 })
  counters.apply(draft)
  const before = counters.devices.get(device)
  t.same(before, { received: 5, stored: 0, duplicate: 0, dead: 0, pending: 5, lastBoot: 7, lastSeq: 4 })
  const next = counters.draft()
  next.settled(device, 5, { ...end, stored: 3, duplicate: 1, dead: 1 })
  t.same(counters.devices.get(device), before)
  counters.apply(next)
  t.same(counters.totals, { received: 5, stored: 3, duplicate: 1, dead: 1, pending: 0 })
  t.equal(before!.pending, 5, 'what was given out stays as it was')
})

t.test('what has no boot leaves the last one as it is', async t => {
  const counters = new DeviceCounters([])
  const draft = counters.draft()
  draft.received(device, 5, 7, 4)
  draft.received(device, 1, null, null)
  counters.apply(draft)
  t.match(counters.devices.get(device), { received: 6, lastBoot: 7, lastSeq: 4 })
})

t.test('counters come back from their bytes, to the greatest exact number', async t => {
  const counters = new DeviceCounters([])
  const draft = counters.draft()
  draft.received(device, Number.MAX_SAFE_INTEGER, 0xffff_ffff, 0)
  draft.settled(device, 3, { ...end, stored: 1, duplicate: 1, dead: 1 })
  draft.received('dev-2' as DeviceId, 1, null, null)
  counters.apply(draft)
  const entries = draft.encode()
  t.same(new Map(entries.map(([deviceId, bytes]) => [deviceId, decodeCounters(bytes)])), counters.devices)
  const loaded = new DeviceCounters(entries)
  t.same(loaded.devices, counters.devices)
  t.same(loaded.totals, counters.totals)
})
