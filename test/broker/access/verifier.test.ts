import t from 'tap'
import { type Credential } from '../../../broker/access/password-file.ts'
import { Verifier } from '../../../broker/access/verifier.ts'

const credential: Credential = { kind: 'sha512', salt: Buffer.alloc(12), hash: Buffer.alloc(64) }

/** A verifier whose verifications a test ends, in the order in which they were begun. */
function heldVerifier (limits: { concurrency: number, maxQueued: number }): { verifier: Verifier, begun: string[], end: () => Promise<void> } {
  const begun: string[] = []
  const ends: Array<(right: boolean) => void> = []
  const verifier = new Verifier(limits, async (_credential, password) => {
    begun.push(Buffer.from(password).toString())
    return await new Promise(resolve => ends.push(resolve))
  })
  const end = async (): Promise<void> => {
    ends.shift()!(true)
    await new Promise(resolve => setImmediate(resolve))
  }
  return { verifier, begun, end }
}

t.test('so many are verified at a time, and each address has its turn', async t => {
  const { verifier, begun, end } = heldVerifier({ concurrency: 2, maxQueued: 10 })
  const flood = [1, 2, 3, 4].map(async n => await verifier.verify('10.0.0.1', credential, Buffer.from(`flood ${n}`)))
  const other = verifier.verify('10.0.0.2', credential, Buffer.from('other'))
  await new Promise(resolve => setImmediate(resolve))
  t.same(begun, ['flood 1', 'flood 2'])
  t.equal(verifier.queued, 3)
  await end()
  await end()
  t.same(begun.slice(2), ['flood 3', 'other'], 'the other one does not wait for the whole flood')
  for (let i = 0; i < 3; i++) await end()
  t.same(await Promise.all([...flood, other]), [true, true, true, true, true])
})

t.test('when too many wait, the address that has most loses its newest', async t => {
  const { verifier, begun, end } = heldVerifier({ concurrency: 1, maxQueued: 2 })
  const flood = [1, 2, 3].map(async n => await verifier.verify('10.0.0.1', credential, Buffer.from(`flood ${n}`)))
  const other = verifier.verify('10.0.0.2', credential, Buffer.from('other'))
  t.equal(await flood[2], null, 'not looked at')
  t.equal(verifier.dropped, 1)
  for (let i = 0; i < 3; i++) await end()
  t.same(await Promise.all([flood[0], flood[1], other]), [true, true, true])
  t.same(begun, ['flood 1', 'flood 2', 'other'])
})

t.test('one that fails does not stop the others', async t => {
  let calls = 0
  const verifier = new Verifier({ concurrency: 1, maxQueued: 10 }, async () => {
    if (calls++ === 0) throw new Error('no thread')
    return true
  })
  const first = verifier.verify('a', credential, Buffer.alloc(0))
  const second = verifier.verify('a', credential, Buffer.alloc(0))
  await t.rejects(first, { message: 'no thread' })
  t.equal(await second, true)
})
