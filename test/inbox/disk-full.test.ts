import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { textOf } from '../../lib/errors.ts'
import { type DeviceId } from '../../schemas/topics.ts'
import { append, fullChanged, incoming, openTestInbox, openTestReader, readAll, settledAs } from '../helpers/inbox.ts'

/** Mounts a disk of its own with so many bytes; returns its folder. */
function mountDisk (bytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'isobar-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    rmdirSync(folder)
    throw error
  }
  return folder
}

function unmountDisk (folder: string): void {
  execFileSync('umount', ['--lazy', folder]) // a refused commit leaves the files open until the process ends
  rmdirSync(folder)
}

function testDisk (t: Test, bytes: number): string {
  const folder = mountDisk(bytes)
  t.teardown(() => unmountDisk(folder))
  return folder
}

function whyNoDisk (): string | false {
  try {
    unmountDisk(mountDisk(65_536))
    return false
  } catch (error) {
    return `a small disk cannot be mounted here (${textOf(error).trim().split('\n').at(-1)})`
  }
}

function freeBytes (disk: string): number {
  const { bavail, bsize } = statfsSync(disk)
  return bavail * bsize
}

const skip = whyNoDisk()

t.test('a disk that runs full stops acknowledgements, and settling makes room again', { skip }, async t => {
  const dir = join(testDisk(t, 6e6), 'inbox')
  const inbox = await openTestInbox(t, { dir })
  const reader = openTestReader(t, dir)
  const flushed: number[] = []
  const becameFull = fullChanged(inbox)
  const count = 600
  for (let i = 0; i < count; i++) inbox.append(incoming({ lastSeq: i, payload: new Uint8Array(20_000) }), () => flushed.push(i))
  await becameFull
  t.match(inbox.full, { cause: 'disk', detail: /the disk refused a commit \(.+\), \d+ bytes are free/ })
  t.equal(inbox.stats().commitFailures, 1)
  t.ok(flushed.length > 0 && flushed.length < 300)
  t.same(readAll(reader).map(({ number }) => number), flushed.map(i => i + 1), 'what is there is what was acknowledged')
  let appended = (): void => {}
  inbox.onAppended(() => appended())
  while (flushed.length < count) {
    const { deliveries } = reader.read(0, 300_000)
    if (deliveries.length === 0) await new Promise<void>(resolve => { appended = resolve }) // it looks at the disk once a second
    await inbox.settle(deliveries.map(delivery => settledAs('stored', delivery)))
  }
  t.same(flushed, Array.from({ length: count }, (_, i) => i))
  t.equal(inbox.full, null)
})

t.test('a disk that others have filled: settlements wait as well, and are done when there is room', { skip }, async t => {
  const disk = testDisk(t, 4e6)
  const dir = join(disk, 'inbox')
  const inbox = await openTestInbox(t, { dir })
  const devices = Array.from({ length: 2000 }, (_, i) => `dev-${i}`)
  await Promise.all(devices.map(async deviceId => await append(inbox, incoming({ deviceId }))))
  const filler = join(disk, 'filler')
  const size = freeBytes(disk)
  writeFileSync(filler, Buffer.alloc(size))
  t.equal(freeBytes(disk), 0)
  const becameFull = fullChanged(inbox)
  let told = false
  const settled = inbox.settle(devices.map((deviceId, place) => settledAs('stored', { number: place + 1, deviceId: deviceId as DeviceId, readings: 1 }))).then(() => { told = true })
  await becameFull
  t.match(inbox.full, { cause: 'disk' })
  t.notOk(told, 'the counters of 2000 devices take more pages than are free')
  t.match(inbox.totals(), { received: 2000, stored: 0, pending: 2000 }, 'nothing is counted that is not on disk')
  rmSync(filler)
  await settled
  t.match(inbox.totals(), { received: 2000, stored: 2000, pending: 0 })
  await append(inbox)
  t.equal(inbox.full, null)
  await inbox.close()
  const again = await openTestInbox(t, { dir })
  t.match(again.totals(), { received: 2001, stored: 2000, pending: 1 })
})

t.test('a new inbox on a full disk is refused, one that is there opens', { skip }, async t => {
  const disk = testDisk(t, 4e6)
  const dir = join(disk, 'inbox')
  const first = await openTestInbox(t, { dir })
  await append(first)
  await first.close()
  writeFileSync(join(disk, 'filler'), Buffer.alloc(freeBytes(disk)))
  await t.rejects(openTestInbox(t, { dir: join(disk, 'other') }), { code: 'ISO_DATA_UNWRITABLE', message: /0 bytes are free on its disk|ENOSPC/ })
  const second = await openTestInbox(t, { dir })
  t.match(second.full, { cause: 'disk', detail: /0 bytes are free/ })
  t.equal(readAll(openTestReader(t, dir)).length, 1)
})
