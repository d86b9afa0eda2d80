import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkDataFolder, diskFinding, modeFinding } from '../../../cli/doctor/folder.ts'

t.test('a folder that is not there yet is no fault when it can be made, and is not made', async t => {
  const dir = t.testdir({ file: '' })
  const wished = join(dir, 'deep', 'deeper')
  t.match(await checkDataFolder({ data: { dir: wished } }), { state: 'ok', text: `${wished} is not there yet; a gateway makes it in ${dir}` })
  t.notOk(existsSync(join(dir, 'deep')))
  t.match(await checkDataFolder({ data: { dir: join(dir, 'file') } }), { state: 'fail', code: 'ISO_DATA_UNWRITABLE', text: /it is not a folder/ })
  t.match(await checkDataFolder({ data: { dir: join(dir, 'file', 'data') } }), { state: 'fail', code: 'ISO_DATA_UNWRITABLE' })
})

t.test('other users may pass through the folder, not read or write it', { skip: process.platform === 'win32' && 'modes mean nothing there' }, async t => {
  t.match(modeFinding('/data', 0o40700), { state: 'ok', text: '/data is writable, mode 700' })
  t.match(modeFinding('/data', 0o40711), { state: 'ok' })
  t.match(modeFinding('/data', 0o40755), { state: 'warn', text: '/data has mode 755: other users may list it', advice: 'chmod go-rw /data' })
  t.match(modeFinding('/data', 0o40770), { state: 'warn', text: /change it/ })
})

t.test('the disk has room for the reserve, and for what the inbox may grow to', async t => {
  const facts = { freeBytes: 10e9, usedBytes: 0, isMemory: false, reserveBytes: 1e9, maxBytes: 2e9 }
  t.match(diskFinding(facts), { state: 'ok', text: '10 GB are free; ISOBAR_INBOX_RESERVE keeps 1 GB, the inbox may grow to 2 GB' })
  t.match(diskFinding({ ...facts, freeBytes: 2e9 }), { state: 'warn', text: /the inbox is full at 1 GB, before ISOBAR_INBOX_MAX_BYTES \(2 GB\)/ })
  t.match(diskFinding({ ...facts, freeBytes: 2e9, usedBytes: 1e9 }), { state: 'ok' }, 'what the inbox has already counts')
  t.match(diskFinding({ ...facts, freeBytes: 1e9 }), { state: 'fail', text: /nothing would be acknowledged/ })
  t.match(diskFinding({ ...facts, isMemory: true }), { state: 'warn', text: /tmpfs/ })
})
