import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lookIntoInbox } from '../../inbox/look.ts'
import { append, incoming, openTestInbox, openTestReader, readAll, settledAs, testInboxDir } from '../helpers/inbox.ts'

/** Everything about the files of a folder that a look could change. */
function traces (dir: string): unknown {
  return readdirSync(dir).sort().map(name => {
    const { mtimeMs, ctimeMs, size, mode } = statSync(join(dir, name), { throwIfNoEntry: false }) ?? {}
    return { name, mtimeMs, ctimeMs, size, mode, hash: name.endsWith('.mdb') && createHash('sha256').update(readFileSync(join(dir, name))).digest('hex') }
  })
}

t.test('an inbox that nobody uses tells what waits in it, and keeps no trace of the look', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  const receivedAt = Date.now() - 5_000
  await append(inbox, incoming({ readings: 10, receivedAt }))
  await append(inbox, incoming({ deviceId: 'dev-2', readings: 5 }))
  await append(inbox, incoming({ readings: 3 }))
  const [, second] = readAll(openTestReader(t, dir))
  await inbox.settle([settledAs('stored', second!)])
  const bytes = inbox.backlog().bytes
  await inbox.close()
  const before = traces(dir)
  const id = inbox.gatewayId.split('-').at(-1)
  t.strictSame(await lookIntoInbox(dir), { holder: null, contents: { id, deliveries: 2, readings: 13, bytes, oldestAt: receivedAt } })
  rmSync(join(dir, 'lock.mdb'))
  t.match(await lookIntoInbox(dir), { contents: { deliveries: 2 } })
  t.strictSame(traces(dir), (before as Array<{ name: string }>).filter(({ name }) => name !== 'lock.mdb'))
})

t.test('an inbox in use is left alone, and its holder is named', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  await append(inbox)
  const before = traces(dir)
  t.strictSame(await lookIntoInbox(dir), { holder: `process ${process.pid}`, contents: null })
  t.strictSame(traces(dir), before)
})

t.test('an inbox that is not there, or in which nothing was ever written, is no error', async t => {
  const dir = testInboxDir(t)
  t.equal(await lookIntoInbox(dir), null)
  mkdirSync(dir)
  t.strictSame(await lookIntoInbox(dir), { holder: null, contents: null })
  writeFileSync(join(dir, 'data.mdb'), '')
  t.strictSame(await lookIntoInbox(dir), { holder: null, contents: null })
})

t.test('a file that is not an inbox, or was cut short, is told and does not end this process', async t => {
  const dir = testInboxDir(t)
  const inbox = await openTestInbox(t, { dir })
  for (let count = 0; count < 20; count++) await append(inbox)
  await inbox.close()
  copyFileSync(join(dir, 'data.mdb'), join(dir, 'whole'))
  truncateSync(join(dir, 'data.mdb'), 8192)
  await t.rejects(lookIntoInbox(dir), { code: 'ISO_INBOX_DAMAGED' })
  writeFileSync(join(dir, 'data.mdb'), 'this is no inbox'.repeat(1000))
  await t.rejects(lookIntoInbox(dir), { code: 'ISO_INBOX_DAMAGED' })
  copyFileSync(join(dir, 'whole'), join(dir, 'data.mdb'))
  t.match(await lookIntoInbox(dir), { contents: { deliveries: 20 } })
})
