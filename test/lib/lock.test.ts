import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLock } from '../../lib/lock.ts'
import { packageRoot } from '../../lib/package.ts'

interface Holder {
  readonly pid: number
  readonly answer: string
  kill (signal: NodeJS.Signals): Promise<void>
}

/** Another process that tries to take the lock, and keeps it when it gets it. */
async function startHolder (t: Test, dir: string): Promise<Holder> {
  const child = spawn(process.execPath, [join(packageRoot, 'test/fixtures/inbox/lock-holder.mjs'), dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await closed
  }
  t.teardown(() => kill('SIGKILL'))
  const [answer] = await once(child.stdout.setEncoding('utf8'), 'data') as [string]
  return { pid: child.pid!, answer: answer.trim(), kill }
}

t.test('another process is refused, and told who has the lock', async t => {
  const dir = t.testdir()
  const holder = await startHolder(t, dir)
  t.equal(holder.answer, 'locked')
  await t.rejects(openLock(dir), { code: 'ISO_DATA_LOCKED', detail: `${dir} (process ${holder.pid})` })
})

t.test('the lock of a process that was killed is free', async t => {
  const dir = t.testdir()
  for (let round = 0; round < 3; round++) {
    const holder = await startHolder(t, dir)
    t.equal(holder.answer, 'locked')
    await holder.kill('SIGKILL')
  }
  const lock = await openLock(dir)
  t.teardown(() => lock.close())
  t.equal(readdirSync(dir).length, 2, 'nothing but its own link and socket is left')
})

t.test('a process that is stopped keeps its lock', async t => {
  const dir = t.testdir()
  const holder = await startHolder(t, dir)
  process.kill(holder.pid, 'SIGSTOP')
  await t.rejects(openLock(dir), { code: 'ISO_DATA_LOCKED', detail: `${dir} (it does not answer)` })
  process.kill(holder.pid, 'SIGCONT')
})

t.test('of many at once exactly one gets it, also behind a dead one', async t => {
  const dir = t.testdir()
  const dead = await startHolder(t, dir)
  await dead.kill('SIGKILL')
  for (let round = 0; round < 5; round++) {
    const tries = await Promise.allSettled(Array.from({ length: 20 }, async () => await openLock(dir)))
    const won = tries.filter(result => result.status === 'fulfilled')
    t.equal(won.length, 1)
    for (const result of tries) if (result.status === 'rejected') t.match(result.reason, { code: 'ISO_DATA_LOCKED' })
    await won[0]!.value.close()
  }
})

t.test('of some processes at once exactly one gets it', async t => {
  const dir = t.testdir()
  const holders = await Promise.all(Array.from({ length: 4 }, async () => await startHolder(t, dir)))
  t.same(holders.map(({ answer }) => answer).sort(), ['ISO_DATA_LOCKED', 'ISO_DATA_LOCKED', 'ISO_DATA_LOCKED', 'locked'])
})

t.test('a folder with a path too long for a socket can be locked', async t => {
  const dir = join(t.testdir(), 'long'.repeat(30), 'deep'.repeat(30))
  mkdirSync(dir, { recursive: true })
  const holder = await startHolder(t, dir)
  t.equal(holder.answer, 'locked')
  await t.rejects(openLock(dir), { code: 'ISO_DATA_LOCKED' })
  await holder.kill('SIGKILL')
  const lock = await openLock(dir)
  await t.rejects(openLock(dir), { code: 'ISO_DATA_LOCKED' })
  await lock.close()
  const again = await openLock(dir)
  await again.close()
})
