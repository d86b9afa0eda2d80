import t from 'tap'
import { OutBuffer } from '../../broker/out-buffer.ts'

t.test('chunks come out in one piece, text as UTF-8', async t => {
  const out = new OutBuffer()
  const long = Buffer.alloc(10_000, 7)
  for (const chunk of [Buffer.from([0x40]), 'grüße €', long, Buffer.from([1, 2]), '']) out.add(chunk)
  const expected = Buffer.concat([Buffer.from([0x40]), Buffer.from('grüße €'), long, Buffer.from([1, 2])])
  t.equal(out.length, expected.length)
  t.ok(out.take().equals(expected))
  t.equal(out.length, 0)
  t.equal(out.take().length, 0)
})

t.test('what was taken stays as it is, and what was added may change', async t => {
  const out = new OutBuffer()
  const chunk = Buffer.alloc(100, 1)
  out.add(chunk)
  const taken = out.take()
  chunk.fill(2)
  out.add(chunk)
  t.ok(taken.equals(Buffer.alloc(100, 1)))
  t.ok(out.take().equals(Buffer.alloc(100, 2)))
})

t.test('an acknowledgement is four bytes', async t => {
  const out = new OutBuffer()
  for (const id of [1, 0x1234, 65_535]) out.addAck(0x40, id)
  t.same(out.take(), Buffer.from('40020001400212344002ffff', 'hex'))
})
