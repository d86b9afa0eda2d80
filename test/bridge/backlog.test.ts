import t from 'tap'
import { Backlog, type ReadStretch } from '../../bridge/backlog.ts'
import { type Delivery } from '../../schemas/delivery.ts'
import { teleDelivery } from '../helpers/bridge.ts'

/** An inbox of deliveries with the numbers 0, 1, …, one of each device named, read four at a time. */
function inboxOf (devices: readonly string[]): { readonly read: ReadStretch, readonly looks: () => number } {
  const deliveries = devices.map((deviceId, number) => teleDelivery({ number, deviceId }))
  let looks = 0
  return {
    looks: () => looks,
    read: (from, to) => {
      looks++
      const next = Math.min(from + 4, to, deliveries.length)
      return { deliveries: deliveries.slice(from, next), next: next === deliveries.length ? to : next }
    }
  }
}

function readAll (backlog: Backlog, read: ReadStretch): Delivery[] {
  const all: Delivery[] = []
  while (!backlog.isEmpty) all.push(...backlog.read(read))
  return all
}

t.test('a stretch is read from its beginning, and nothing beyond its end', t => {
  const backlog = new Backlog({ maxStretches: 10, maxApartDevices: 4 })
  const { read } = inboxOf(Array.from({ length: 30 }, (_, n) => `dev-${n % 5}`))
  backlog.add(3, 20)
  backlog.add(20, 20)
  t.strictSame(readAll(backlog, read).map(({ number }) => number), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  t.equal(backlog.isEmpty, true)
  t.end()
})

t.test('the oldest two stretches give the same number of readings, and later ones come after them', t => {
  const backlog = new Backlog({ maxStretches: 10, maxApartDevices: 4 })
  const { read } = inboxOf(Array.from({ length: 60 }, (_, n) => `dev-${n % 5}`))
  for (const from of [0, 20, 40]) backlog.add(from, from + 8)
  t.strictSame(readAll(backlog, read).map(({ number }) => number).filter(number => number % 4 === 0), [0, 20, 4, 24, 40, 44])
  t.end()
})

t.test('one device\'s backlog does not keep the others waiting, and everything is given once', t => {
  const backlog = new Backlog({ maxStretches: 10, maxApartDevices: 4 })
  const devices = [...Array.from({ length: 400 }, () => 'flood'), ...Array.from({ length: 20 }, (_, n) => `dev-${n % 4}`), ...Array.from({ length: 400 }, () => 'flood')]
  const { read, looks } = inboxOf(devices)
  backlog.add(0, devices.length)
  const all = readAll(backlog, read)
  t.strictSame(all.map(({ number }) => number).sort((a, b) => a - b), devices.map((_, number) => number))
  const last = all.findLastIndex(({ deviceId }) => deviceId !== 'flood')
  t.ok(all.slice(0, last).filter(({ deviceId }) => deviceId === 'flood').length <= 30, 'those who are behind 400 of it wait for no more than they have themselves')
  for (const device of ['flood', 'dev-0']) {
    const of = all.filter(({ deviceId }) => deviceId === device).map(({ number }) => number)
    t.strictSame(of, of.toSorted((a, b) => a - b), `${device} in order`)
  }
  t.ok(looks() <= 2 * devices.length / 4 + 2)
  t.end()
})

t.test('at most four devices get a stretch of their own', t => {
  const backlog = new Backlog({ maxStretches: 10, maxApartDevices: 4 })
  const devices = Array.from({ length: 10 }, (_, n) => Array.from({ length: 8 }, () => `dev-${n}`)).flat()
  const { read, looks } = inboxOf(devices)
  backlog.add(0, devices.length)
  t.equal(readAll(backlog, read).length, devices.length)
  t.ok(looks() <= 5 * devices.length / 4)
  t.equal(backlog.apart, 0)
  t.end()
})

t.test('a backlog of as many stretches as the limit is full until one of them is read', t => {
  const backlog = new Backlog({ maxStretches: 2, maxApartDevices: 0 })
  const { read } = inboxOf(Array.from({ length: 20 }, () => 'dev-0'))
  backlog.add(0, 4)
  t.notOk(backlog.full)
  backlog.add(10, 14)
  t.ok(backlog.full)
  t.equal(backlog.stretches, 2)
  backlog.read(read)
  t.notOk(backlog.full)
  t.end()
})
