import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package.ts'

/** The folders of isobar's own code; what they hold is shipped. */
export const sourceFolders = ['lib', 'schemas', 'inbox', 'device', 'broker', 'bridge', 'gateway', 'cli'] as const

/** Every TypeScript source with its path from the root, such as `lib/clock.ts`. */
export function readSources (): ReadonlyArray<{ path: string, source: string }> {
  return sourceFolders.flatMap(folder => readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => ({ path: `${folder}/${name}`, source: readFileSync(join(packageRoot, folder, name), 'utf8') })))
}
