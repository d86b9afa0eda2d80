import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package.ts'
import { columns, compareKeys, flags, keyColumns } from '../../schemas/row.ts'
import { openRow } from '../helpers/bridge.ts'

for (const dialect of ['crate', 'postgres']) {
  t.test(`the columns of a row are those of the table on ${dialect}, in its order and with its types`, async t => {
    const sql = readFileSync(join(packageRoot, 'schemas', 'sql', dialect, '02-readings.sql'), 'utf8')
    const inTable = [...sql.matchAll(/^ {2}(\w+) (TEXT|TIMESTAMP WITH TIME ZONE|timestamptz|BIGINT|DOUBLE PRECISION|INTEGER)/gim)]
      .map(([, name, type]) => ({ name, type: type!.toLowerCase().replace('timestamp with time zone', 'timestamptz') }))
      .filter(({ name }) => name !== 'month')
    t.strictSame(columns.map(({ name, type }) => ({ name, type })), inTable)
  })
}

t.test('the first columns are the key that orders rows', async t => {
  t.strictSame(keyColumns.map(({ name }) => name), ['device_id', 'ts', 'boot', 'seq'])
  const row = openRow({ seq: 5 })
  t.equal(compareKeys(row, { ...row, temperatureC: 0, delivery: 99 }), 0, 'values and origin are not part of it')
  for (const later of [{ ...row, deviceId: openRow({ deviceId: 'dev-2' }).deviceId }, { ...row, ts: row.ts + 1 }, { ...row, boot: row.boot + 1 }, { ...row, seq: row.seq + 1 }]) {
    t.ok(compareKeys(row, later) < 0)
    t.ok(compareKeys(later, row) > 0)
  }
})

t.test('no two flags share a bit', async t => {
  const values = Object.values(flags)
  t.equal(values.reduce((all, bits) => all | bits, 0), values.reduce((sum, bits) => sum + bits, 0))
})
