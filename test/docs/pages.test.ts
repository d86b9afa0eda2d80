import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { packageRoot } from '../../lib/package.ts'
import { pages } from '../helpers/doc-commands.ts'
import { readDocs } from '../helpers/docs.ts'
import { sourceFolders } from '../helpers/sources.ts'

const texts = pages.map(page => ({ page, text: readFileSync(join(packageRoot, page), 'utf8') }))

t.test('every file that a page names is there', async t => {
  const path = new RegExp(`(?<![\\w/.])(?:${[...sourceFolders, 'test', 'bench', 'deploy', 'docs'].join('|')})(?:/[\\w.-]+)+\\.(?:ts|mjs|md|sql|service|json)\\b`, 'g')
  for (const { page, text } of texts) {
    const missing = [...new Set(text.match(path))].filter(file => !existsSync(join(packageRoot, file)))
    t.same(missing, [], page)
  }
})

t.test('every link of a page leads to a page, and to a heading of it', async t => {
  for (const { page, text } of texts) {
    for (const [link, path, anchor] of text.matchAll(/\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = path === '' ? page : join(dirname(page), path!)
      t.ok(existsSync(join(packageRoot, target)), `${page}: ${link}`)
      if (anchor !== undefined) t.ok(anchorsOf(readFileSync(join(packageRoot, target), 'utf8')).includes(anchor), `${page}: ${link}`)
    }
  }
})

t.test('the example of docs/DEVELOPING.md fits the sources of today', async t => {
  const diffs = [...readDocs('DEVELOPING.md').join('\n').matchAll(/```diff\n([^]*?)```/g)].map(([, diff]) => diff!)
  t.equal(diffs.length, 2)
  for (const diff of diffs) t.doesNotThrow(() => execFileSync('git', ['apply', '--check'], { cwd: packageRoot, input: diff, stdio: 'pipe' }), diff.split('\n')[1]!)
})

/** As GitHub makes them of headings. */
function anchorsOf (markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-'))
}
