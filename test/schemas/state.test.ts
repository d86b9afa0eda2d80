import t from 'tap'
import { decodeState } from '../../schemas/state.ts'

t.test('a state is the whole payload, and nothing else is one', async t => {
  t.equal(decodeState(Buffer.from('online')), 'online')
  t.equal(decodeState(Buffer.from('offline')), 'offline')
  for (const payload of ['', 'Online', 'online ', '{"state":"online"}', 'x'.repeat(1000)]) t.equal(decodeState(Buffer.from(payload)), null)
})
