// Takes the types out of the project's .ts files when a test loads them, and keeps the result. Tap's own way compiles each file again in each of
// more than 200 processes: 2.5 s before a test of one line began, 7 s before one of the broker.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const cache = fileURLToPath(new URL('../../node_modules/.cache/isobar-tests', import.meta.url))
const { version } = require('typescript/package.json')
const options = { target: 'es2023', module: 'esnext', verbatimModuleSyntax: true, inlineSourceMap: true }

mkdirSync(cache, { recursive: true })

/** Node's hook. A file keeps its URL, so `import.meta.url` and, by the source map, the lines of stack traces are those of the source. */
export async function load (url, context, nextLoad) {
  if (!url.startsWith('file:') || !/\.ts(\?|$)/.test(url)) return await nextLoad(url, context)
  const path = fileURLToPath(url)
  return { format: 'module', source: withoutTypes(path, readFileSync(path, 'utf8')), shortCircuit: true }
}

/** One kept file for each source; its last line tells what it was made from. */
function withoutTypes (path, source) {
  const kept = join(cache, `${hashOf(path)}.js`)
  const end = `\n// ${hashOf(version + JSON.stringify(options) + source)}\n`
  const before = textOf(kept)
  if (before.endsWith(end)) return before
  const ts = require('typescript') // half a second, so only when something has changed
  const { compilerOptions } = ts.convertCompilerOptionsFromJson(options, '.')
  const made = ts.transpileModule(source, { fileName: path, compilerOptions }).outputText + end
  writeFileSync(`${kept}.${process.pid}`, made)
  renameSync(`${kept}.${process.pid}`, kept) // whole, whoever else makes it at the same time
  return made
}

function textOf (path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return ''
    throw error
  }
}

function hashOf (text) {
  return createHash('sha256').update(text).digest('hex')
}
