import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { attacks } from './attacks.ts'
import { type OtherPorts } from './sockets.ts'

/** Lets an attack go on in a process of its own for as long as `during` takes. */
export async function underAttack<T> (name: string, port: number, others: OtherPorts, during: () => Promise<T>): Promise<T> {
  const child = fork(fileURLToPath(import.meta.url), [name, String(port), JSON.stringify(others)])
  const exited = once(child, 'exit')
  try {
    return await during()
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  await attacks[process.argv[2]!]!.run(Number(process.argv[3]), new AbortController().signal, JSON.parse(process.argv[4]!) as OtherPorts)
}
