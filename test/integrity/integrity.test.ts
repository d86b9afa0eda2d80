import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { packageRoot } from '../../lib/package.ts'

// The short form of `npm run test:integrity`: one round from a fixed seed. docs/DELIVERY.md says what the long one has found.

t.test('after a round of load with faults nothing is lost, twice, off, dead without a cause, or missed by subscribers', async t => {
  const child = spawn(process.execPath, [join(packageRoot, 'dist/test/integrity/integrity.js'), '--rounds', '1', '--seed', '7'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text })
  const [code] = await once(child, 'close')
  t.equal(code, 0, output)
  t.match(output, /^1 rounds in \d+ s: \d+ faults, [1-9]\d* messages, [1-9]\d* readings acknowledged/m)
  t.match(output, /^no promise is broken/m)
})

t.test('what is not an option is wrong usage', async t => {
  const child = spawn(process.execPath, [join(packageRoot, 'dist/test/integrity/integrity.js'), '--break', 'nothing'], { stdio: 'ignore' })
  t.same(await once(child, 'exit'), [2, null])
})
