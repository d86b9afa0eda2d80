import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type Test } from 'tap'
import { packageRoot } from '../../lib/package.ts'

/** A copy of the project as somebody has it after `npm ci`, in a home of its own. */
export interface Checkout {
  /** Where commands are given; the folder above is free for what they leave beside it. */
  readonly dir: string
  /** Starts a shell command there, in a process group of its own, as a terminal does. */
  start (command: string, env?: Readonly<Record<string, string>>): RunningCommand
  /** Runs one to its end. */
  run (command: string, env?: Readonly<Record<string, string>>): Promise<ShellResult>
}

export interface RunningCommand {
  /** Resolves with the match when the output has it, or with null when the command ends, or `withinMs` passes, before. */
  until (pattern: RegExp, withinMs?: number): Promise<RegExpExecArray | null>
  readonly ended: Promise<ShellResult>
  /** SIGINT to the whole group; resolves when the command has ended. */
  ctrlC (): Promise<ShellResult>
}

export interface ShellResult {
  /** As a shell says it: 130 for what Ctrl-C has ended. */
  readonly code: number
  /** stdout and stderr, as they came. */
  readonly output: string
}

/** Copied neither for speed nor from others' work. */
const left = ['node_modules', '.git', '.tap', 'data', 'bench/results']

/** Copies the project, with `isobar` on the PATH as `npm link` puts it there. All of it goes with the test. */
export async function openCheckout (t: Pick<Test, 'teardown'>): Promise<Checkout> {
  const above = await mkdtemp(join(tmpdir(), 'isobar-checkout-'))
  t.teardown(async () => await rm(above, { recursive: true, force: true, maxRetries: 3 }))
  const [dir, home, bin] = [join(above, 'isobar'), join(above, 'home'), join(above, 'bin')]
  await cp(packageRoot, dir, { recursive: true, preserveTimestamps: true, filter: path => !left.includes(relative(packageRoot, path)) })
  await symlink(join(packageRoot, 'node_modules'), join(dir, 'node_modules'))
  await mkdir(home)
  await mkdir(bin)
  await writeFile(join(bin, 'isobar'), `#!/bin/sh\nexec '${process.execPath}' '${dir}/cli/isobar.mjs' "$@"\n`)
  await chmod(join(bin, 'isobar'), 0o755)
  const own = { PATH: `${bin}:${process.env.PATH}`, HOME: home, XDG_CONFIG_HOME: join(home, '.config'), CURL_HOME: home, npm_config_update_notifier: 'false', LANG: 'C.UTF-8' }

  const start = (command: string, env: Readonly<Record<string, string>> = {}): RunningCommand => {
    const child = spawn('bash', ['-c', `set -o pipefail\n${command}`], { cwd: dir, env: { ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let output = ''
    const heard = new EventEmitter()
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        heard.emit('text')
      })
    }
    const ended = once(child, 'close').then(([code, signal]) => ({ code: signal === null ? Number(code) : 128 + constants.signals[signal as NodeJS.Signals], output }))
    t.teardown(async () => {
      kill(child, 'SIGKILL')
      await ended
    })
    return {
      ended,
      until: async (pattern, withinMs = 300_000) => {
        const over = Promise.race([ended, delay(withinMs)]).then(() => 'over')
        while (!pattern.test(output)) if (await Promise.race([once(heard, 'text'), over]) === 'over') break
        return pattern.exec(output)
      },
      ctrlC: async () => {
        kill(child, 'SIGINT')
        return await ended
      }
    }
  }
  return { dir, start, run: async (command, env) => await start(command, env).ended }
}

/** To the whole group. */
function kill (child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid!, signal)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ESRCH') throw error
  }
}

async function delay (ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms).unref())
}
