import { PassThrough } from 'node:stream'
import t from 'tap'
import { createLog, type LogLevel } from '../../lib/log.ts'

/** A log of this level, and what it has written. */
function openTestLog (level: LogLevel): { log: ReturnType<typeof createLog>, lines: () => Array<Record<string, unknown>> } {
  const stream = new PassThrough()
  const log = createLog(level, stream)
  return { log, lines: () => String(stream.read() ?? '').split('\n').filter(line => line !== '').map(line => JSON.parse(line)) }
}

t.test('a line is one JSON object: a constant sentence, the fields beside it, the part that wrote it', async t => {
  const { log, lines } = openTestLog('info')
  log.child({ part: 'inbox' }).warn({ heldForMs: 5 }, 'the inbox is full')
  t.match(lines(), [{ level: 40, part: 'inbox', heldForMs: 5, msg: 'the inbox is full' }])
})

t.test('an error under `err` keeps its code, message and cause', async t => {
  const { log, lines } = openTestLog('info')
  log.error({ err: Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'EIO' }) }, 'the disk failed')
  t.match(lines(), [{ err: { message: /outer.*inner/, code: 'EIO', stack: String } }])
})

t.test('lines below the level are not written', async t => {
  const { log, lines } = openTestLog('warn')
  log.info('quiet')
  log.warn('loud')
  t.same(lines().map(line => line.msg), ['loud'])
})
