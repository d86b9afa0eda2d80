import { rm } from 'node:fs/promises'
import t from 'tap'
import { breaks, openBroken } from './breaks.ts'

for (const name of Object.keys(breaks)) {
  t.test(`${name} finds the code that it breaks`, async t => {
    const root = await openBroken(name)
    await rm(root, { recursive: true })
    t.pass()
  })
}
