import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json: the same for the sources and for dist/, so that files beside the code are found from both. */
export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)))

/** The version in package.json. */
export const version = (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version

function findRoot (dir: string): string {
  if (existsSync(join(dir, 'package.json'))) return dir
  return findRoot(dirname(dir))
}
