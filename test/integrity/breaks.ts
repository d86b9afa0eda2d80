import { cp, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package.ts'

/** A change of a compiled file that breaks a promise. */
interface Change {
  readonly file: string
  readonly from: string
  readonly to: string
}

/** Promises that are broken on purpose, in a copy of dist/, to see whether the suite finds it. */
export const breaks: Readonly<Record<string, readonly Change[]>> = {
  'ack-before-commit': [{
    file: 'broker/admission.js',
    from: 'this.#journal(message, origin, () => release.ready(waiting), () => release.forget(waiting));',
    to: 'release.ready(waiting); this.#journal(message, origin, () => {}, () => {});'
  }],
  'ignore-row-count': [{
    file: 'bridge/row-truth.js',
    from: 'if (count === rows.length) {',
    to: 'if (count <= rows.length) {'
  }],
  'settle-twice': [
    { file: 'bridge/bridge.js', from: 'await source.settle(ends.settled);', to: 'await Promise.all([source.settle(ends.settled), source.settle(ends.settled)]);' },
    { file: 'inbox/settlement.js', from: 'if (group === null || hasBit(group.bits, place)) {', to: 'if (group === null) {' }
  ],
  'settle-before-write': [{
    file: 'bridge/bridge.js',
    from: 'const ends = await endsOf(batch, insert);',
    to: 'void source.settle(settle(batch.items, batch.items.flatMap(item => item.rows.map(() => ({ kind: "stored" })))).settled); const ends = await endsOf(batch, insert);'
  }]
}

/** An installation like this one with a promise broken, in a temporary folder. @throws Error when the code that it changes is not there any more */
export async function openBroken (name: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'isobar-broken-'))
  for (const part of ['dist', 'package.json', 'schemas']) await cp(join(packageRoot, part), join(root, part), { recursive: true })
  await symlink(join(packageRoot, 'node_modules'), join(root, 'node_modules'))
  for (const { file, from, to } of breaks[name]!) {
    const path = join(root, 'dist', file)
    const text = await readFile(path, 'utf8')
    if (text.split(from).length !== 2) throw new Error(`dist/${file} has not got exactly one «${from}»: test/integrity/breaks.ts is behind the code`)
    await writeFile(path, text.replace(from, to))
  }
  return root
}
