import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap' // not inline: that would load tap in processes that are no test

/** A system call as strace saw it. */
export interface SystemCall {
  readonly name: string
  /** First argument. */
  readonly fd: number
  /** All bytes of its buffers, in hex. */
  readonly hex: string
  readonly result: number
  /** Where it began and ended among all that was seen, of all threads. */
  readonly began: number
  readonly ended: number
}

/** strace at work on a process and all of its threads. */
export interface Tracing {
  /** Ends it. The process goes on. */
  stop (): Promise<SystemCall[]>
}

const traced = 'read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,pwritev2,fdatasync,fsync,msync,sync_file_range'

/** Attaches strace to a process. @returns why it can't, in words, where strace is missing or the system forbids it */
export async function traceProcess (t: Pick<Test, 'teardown' | 'testdir'>, pid: number): Promise<Tracing | string> {
  const file = join(t.testdir(), 'trace')
  const child = spawn('strace', ['-f', '-p', String(pid), '-xx', '-s', '1000000', '-e', `trace=${traced}`, '-e', 'signal=none', '-o', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'close').catch((error: NodeJS.ErrnoException) => error) // ENOENT comes as an error
  t.teardown(async () => {
    child.kill('SIGINT')
    await exited
  })
  let told = ''
  const attached = new Promise<void>(resolve => child.stderr.on('data', (chunk: Buffer) => { if (/attached/.test(told += chunk)) resolve() }))
  const ended = await Promise.race([attached, exited])
  if (ended !== undefined) return ended instanceof Error ? `strace is not there: ${ended.message}` : `strace cannot trace: ${told.trim()}`
  return {
    stop: async () => {
      child.kill('SIGINT')
      await exited
      return parseTrace(await readFile(file, 'utf8'))
    }
  }
}

/** The calls of `strace -f -xx -o`, in the order of their ends. A call that others overlap has two lines: `…(… <unfinished ...>` and `<... … resumed>…`. */
export function parseTrace (text: string): SystemCall[] {
  const calls: SystemCall[] = []
  const open = new Map<string, { readonly began: number, readonly start: string }>()
  for (const [at, line] of text.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const [, start] = /^(.*?) *<unfinished \.\.\.>$/.exec(rest) ?? []
    if (start !== undefined) {
      open.set(thread, { began: at, start })
      continue
    }
    const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest) ?? []
    const begun = end === undefined ? { began: at, start: '' } : open.get(thread)
    if (begun === undefined) continue // it had begun before strace came
    const call = parseCall(begun.start + (end ?? rest))
    if (call !== null) calls.push({ ...call, began: begun.began, ended: at })
  }
  return calls
}

function parseCall (text: string): Pick<SystemCall, 'name' | 'fd' | 'hex' | 'result'> | null {
  const [, name, fd, result] = /^(\w+)\((\d+).*\) += (-?\d+)/.exec(text) ?? []
  if (name === undefined) return null
  const hex = Array.from(text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), ([, bytes]) => bytes!.replaceAll('\\x', '')).join('')
  return { name, fd: Number(fd), hex, result: Number(result) }
}
