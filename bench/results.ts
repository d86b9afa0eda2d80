import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { packageRoot, version } from '../lib/package.ts'

const startedAt = new Date().toISOString()

/** A file of this run in bench/results: its name is the time of the start and what is given, such as `.json`. */
export function resultFile (suffix: string): string {
  const dir = join(packageRoot, 'bench', 'results')
  mkdirSync(dir, { recursive: true })
  return join(dir, `${startedAt.slice(0, 19).replaceAll(/[:T]/g, '-')}${suffix}`)
}

/** When, of which commit, with which versions and where. */
export function circumstances (): object {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: packageRoot, encoding: 'utf8' }).trim()
  const commit = `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' and changes'}`
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memoryGB: Math.round(totalmem() / 1e9), platform: `${process.platform} ${process.arch}` }
  return { at: startedAt, commit, versions: { isobar: version, node: process.version }, machine }
}
