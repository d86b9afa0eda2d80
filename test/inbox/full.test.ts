import t from 'tap'
import { fullOf, maxBytesOf, type InboxFull, type Levels } from '../../inbox/full.ts'

const limits = { maxBytes: 1000, maxAgeMs: 10_000, reserveBytes: 5000, marginBytes: 100 }
const empty: Levels = { bytes: 0, ageMs: 0, freeBytes: 1e9, reusableBytes: 0, fault: null }

function cause (over: Partial<Levels>, was: InboxFull['cause'] | null = null): InboxFull['cause'] | undefined {
  return fullOf({ ...empty, ...over }, limits, was === null ? null : { cause: was, detail: '' })?.cause
}

t.test('bytes and age are full at their limit, and not before nine tenths of it again', async t => {
  t.equal(cause({ bytes: 999 }), undefined)
  t.equal(cause({ bytes: 1000 }), 'bytes')
  t.equal(cause({ bytes: 900 }, 'bytes'), 'bytes')
  t.equal(cause({ bytes: 899 }, 'bytes'), undefined)
  t.equal(cause({ ageMs: 9999 }), undefined)
  t.equal(cause({ ageMs: 10_000 }), 'age')
  t.equal(cause({ ageMs: 9000 }, 'age'), 'age')
  t.equal(cause({ ageMs: 8999 }, 'age'), undefined)
})

t.test('another limit counts as it is, whatever was full before', async t => {
  t.equal(cause({ bytes: 950, ageMs: 9500 }, 'disk'), undefined)
  t.equal(cause({ bytes: 899, ageMs: 10_000 }, 'bytes'), 'age')
})

t.test('the disk is full when a few commits would touch the reserve', async t => {
  t.equal(cause({ freeBytes: 5099 }), 'disk')
  t.equal(cause({ freeBytes: 5100 }), undefined)
  t.equal(cause({ freeBytes: 5199 }, 'disk'), 'disk')
  t.equal(cause({ freeBytes: 5200 }, 'disk'), undefined)
})

t.test('free pages of the file are room, also when others have used up the disk', async t => {
  t.equal(cause({ freeBytes: 0, reusableBytes: 99 }), 'disk')
  t.equal(cause({ freeBytes: 0, reusableBytes: 100 }), undefined)
})

t.test('a fault of the disk comes first and is told in its own words', async t => {
  t.same(fullOf({ ...empty, bytes: 1000, fault: 'Input/output error' }, limits, null), { cause: 'disk', detail: 'Input/output error' })
})

t.test('the detail names figures and setting', async t => {
  t.match(fullOf({ ...empty, bytes: 1234 }, limits, null)?.detail, /^1234 .*ISOBAR_INBOX_MAX_BYTES allows 1000$/)
  t.match(fullOf({ ...empty, ageMs: 12_300 }, limits, null)?.detail, /12 s, ISOBAR_INBOX_MAX_AGE allows 10$/)
  t.match(fullOf({ ...empty, freeBytes: 17 }, limits, null)?.detail, /^17 .*ISOBAR_INBOX_RESERVE keeps 5000$/)
})

t.test('without a setting an inbox may have 2 GB, or 80 % of the disk if that is less', async t => {
  t.equal(maxBytesOf(undefined, 100e9), 2e9)
  t.equal(maxBytesOf(undefined, 2.5e9), 2e9)
  t.equal(maxBytesOf(undefined, 1e9), 0.8e9)
  t.equal(maxBytesOf(undefined, 0), 64e3, 'a full disk is the reserve\'s matter')
  t.equal(maxBytesOf(5e9, 1e9), 5e9, 'what is set, is meant')
})
