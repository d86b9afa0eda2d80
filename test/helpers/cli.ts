import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'

export interface CliOptions {
  /** Settings; nothing else of this process's environment reaches the command but PATH. */
  readonly env?: Readonly<Record<string, string>>
  /** Working folder: a `.env` in it counts. Default: that of temporary files. */
  readonly cwd?: string
  readonly stdin?: string | Uint8Array
  /** Folder of the installation to run. Default: this one. */
  readonly root?: string
}

/** How a command ended. */
export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs. */
export interface RunningCli {
  readonly child: ChildProcess
  /** Resolves with all of stdout when it matches, or is as wanted; rejects with all that was printed when the command ends before. */
  until (wanted: RegExp | ((stdout: string) => boolean)): Promise<string>
  readonly ended: Promise<CliResult>
}

/** Starts the compiled command line in a process of its own, which goes with the test. */
export function startCli (t: Test, args: readonly string[], { env = {}, cwd = tmpdir(), stdin = '', root = packageRoot }: CliOptions = {}): RunningCli {
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'isobar.js'), ...args], { cwd, env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
  child.stdin.on('error', () => {}) // a command that does not read it
  child.stdin.end(stdin)
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  })
  const until = async (wanted: RegExp | ((stdout: string) => boolean)): Promise<string> => {
    const isAsWanted = (): boolean => typeof wanted === 'function' ? wanted(stdout) : wanted.test(stdout)
    while (!isAsWanted()) {
      const isOver = await Promise.race([once(child.stdout, 'data').then(() => false), ended.then(() => true)])
      if (isOver && !isAsWanted()) throw new Error(`the command ended and never printed ${wanted}\n${stdout}\n${stderr}`)
    }
    return stdout
  }
  return { child, until, ended }
}

/** Runs a command to its end. */
export async function runCli (t: Test, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return await startCli(t, args, options).ended
}
