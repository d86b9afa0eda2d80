import t from 'tap'
import { createProgress } from '../../cli/progress.ts'
import { createTestClock } from '../helpers/clock.ts'

function screen (isTTY: boolean) {
  const written: string[] = []
  return { isTTY, written, write: (text: string | Uint8Array) => written.push(String(text)) > 0 }
}

t.test('on a terminal it is one line that is written over and taken away, and work that ends soon has none', async t => {
  const clock = createTestClock()
  const out = screen(true)
  const progress = createProgress(400, 'letters replayed', clock, out)
  progress.show(10)
  t.same(out.written, [])
  await clock.advance(2_000)
  progress.show(100)
  await clock.advance(100)
  progress.show(200)
  progress.close()
  t.same(out.written, ['\r\u001b[K100 of 400 letters replayed, 6 s to go', '\r\u001b[K200 of 400 letters replayed, 3 s to go', '\r\u001b[K'])
})

t.test('elsewhere it is a line every ten seconds', async t => {
  const clock = createTestClock()
  const out = screen(false)
  const progress = createProgress(400, 'letters replayed', clock, out)
  for (let second = 1; second <= 25; second++) {
    await clock.advance(1_000)
    progress.show(second * 10)
  }
  progress.close()
  t.same(out.written, ['100 of 400 letters replayed, 30 s to go\n', '200 of 400 letters replayed, 20 s to go\n'])
})
