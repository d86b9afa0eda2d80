import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { runLoad, type LoadOptions, type LoadResult } from './load.ts'

/** Options that can go to another process. */
export type LoadProcessOptions = Omit<LoadOptions, 'onAck' | 'signal'>

/** Runs the load in a process of its own, so that it takes no time from what is measured but its share of the cores. */
export async function runLoadProcess (options: LoadProcessOptions): Promise<LoadResult> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(options)])
  const exited = once(child, 'exit').then(([code]) => { throw new Error(`the load ended with ${code}`) })
  const [result] = await Promise.race([once(child, 'message'), exited]) as [LoadResult]
  exited.catch(() => {}) // it has told its result; how it ends is of no interest
  return result
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.send(await runLoad(JSON.parse(process.argv[2]!) as LoadProcessOptions))
  process.disconnect()
}
