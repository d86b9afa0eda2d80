import t from 'tap'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseUrlOf, writeDatabaseUrl } from '../../gateway/database-url.ts'
import { type Settings } from '../../schemas/settings.ts'

function settings (dir: string, url?: string): Pick<Settings, 'database' | 'data'> {
  return { data: { dir }, database: { url, schema: undefined, port: 5439 } }
}

t.test('CRATE_URL is the database, whatever a gateway has left', async t => {
  const dir = t.testdir()
  await writeDatabaseUrl(dir, 'postgresql://isobar:secret@127.0.0.1:5439/postgres')
  t.equal(await databaseUrlOf(settings(dir, 'postgresql://crate@node1:5432/doc')), 'postgresql://crate@node1:5432/doc')
})

t.test('without CRATE_URL it is what the gateway left in the data folder, for its user only', async t => {
  const dir = t.testdir()
  await writeDatabaseUrl(dir, 'postgresql://isobar:first@127.0.0.1:5439/postgres')
  await writeDatabaseUrl(dir, 'postgresql://isobar:second@127.0.0.1:5439/postgres')
  t.equal(await databaseUrlOf(settings(dir)), 'postgresql://isobar:second@127.0.0.1:5439/postgres')
  t.equal((await stat(join(dir, 'database.url'))).mode & 0o777, 0o600)
})

t.test('without either, the error names both', async t => {
  await t.rejects(databaseUrlOf(settings(t.testdir())), { code: 'ISO_DATABASE_UNKNOWN', message: /CRATE_URL is not set, and .*database\.url is not there/ })
})
