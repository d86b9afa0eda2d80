import t from 'tap'
import { LmdbDisk } from '../../../broker/sessions/disk.ts'
import { realClock } from '../../../lib/clock.ts'
import { createTestLog } from '../../helpers/log.ts'

t.test('what changes after the close, as clients go, is no reason to fail: it is not written, and what was there before is', async t => {
  const dir = t.testdir()
  const { log } = createTestLog('silent')
  const disk = new LmdbDisk(dir, { log, clock: realClock })
  disk.put('wills', 1, () => Buffer.from('before'))
  await disk.close()
  disk.put('wills', 2, () => Buffer.from('after'))
  disk.flushed(() => {})
  await realClock.sleep(200) // longer than a change waits for others
  const again = new LmdbDisk(dir, { log, clock: realClock })
  t.teardown(() => again.close())
  t.same([...again.read().wills].map(([key]) => key), [1])
})
