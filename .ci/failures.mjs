// Prints what failed in the TAP of the files named as arguments: for each failed assertion the path of tests that leads to it (the file first)
// and its diagnostics. A test that is `not ok` only because an assertion in it is, is not said twice. At most 100 lines, so that the end of a log shows it.
import { readFileSync } from 'node:fs'

const MAX_LINES = 100
const MAX_NAMES = 30
const MAX_LINES_EACH = 25
const MAX_LINE_LENGTH = 240

/**
 * @param {string[]} lines of TAP version 14, subtests indented by 4
 * @returns {{ path: string[], diagnostics: string[] }[]} the failures that no failure below them explains
 */
function failures (lines) {
  const found = []
  const open = [] // the subtests around the line: { name, indent, failed }
  for (let at = 0; at < lines.length; at++) {
    const [, spaces, start] = lines[at].match(/^( *)(# Subtest: |not ok \d+|ok \d+|---)/) ?? []
    if (start === undefined) continue
    if (start === '---') {
      const end = lines.indexOf(`${spaces}...`, at)
      if (end !== -1) at = end
      continue
    }
    const indent = spaces.length
    while (open.length > 0 && open.at(-1).indent > indent) open.pop()
    if (start.startsWith('#')) {
      while (open.length > 0 && open.at(-1).indent >= indent) open.pop()
      open.push({ name: lines[at].slice(indent + start.length), indent, failed: false })
      continue
    }
    const own = open.at(-1)?.indent === indent ? open.pop() : undefined // the line ends the subtest of the same depth
    if (!start.startsWith('not') || / # (TODO|SKIP)\b/i.test(lines[at])) continue
    const around = [...open]
    for (const test of around) test.failed = true
    if (own?.failed === true) continue
    const name = lines[at].trim().replace(/^not ok \d+( - )?/, '').replace(/ # time=[\d.]+ms( \{)?$/, '')
    found.push({ path: [...around.map(test => test.name), name], diagnostics: diagnosticsAfter(lines, at, indent) })
  }
  return found
}

/** The YAML below a `not ok`, without the excerpt of the source, which the line numbers give as well. */
function diagnosticsAfter (lines, at, indent) {
  const margin = ' '.repeat(indent + 2)
  if (lines[at + 1] !== `${margin}---`) return []
  const diagnostics = lines.slice(at + 2, lines.indexOf(`${margin}...`, at)).map(line => line.slice(indent + 2))
  const source = diagnostics.findIndex(line => line.startsWith('source:'))
  if (source === -1) return diagnostics
  const next = diagnostics.findIndex((line, index) => index > source && /^\S/.test(line))
  return [...diagnostics.slice(0, source), ...(next === -1 ? [] : diagnostics.slice(next))]
}

function atMost (max, lines) {
  return lines.length <= max ? lines : [...lines.slice(0, max), `… ${lines.length - max} more lines`]
}

const found = process.argv.slice(2).flatMap(file => failures(readFileSync(file, 'utf8').split('\n')))
const names = found.map(({ path }) => path.join(' > '))
const details = found.flatMap(({ diagnostics }, index) => [names[index], ...atMost(MAX_LINES_EACH, diagnostics).map(line => `    ${line}`)])
for (const line of [...atMost(MAX_NAMES, names).map(name => `failed: ${name}`), ...atMost(MAX_LINES - Math.min(names.length, MAX_NAMES), details)]) {
  console.log(line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}…` : line)
}
