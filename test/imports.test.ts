import { posix } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { readSources } from './helpers/sources.ts'

/** lib <- schemas <- inbox <- device | broker | bridge <- gateway <- cli: a folder imports itself and those of a lower rank. */
const rankOf: Readonly<Record<string, number>> = { lib: 0, schemas: 1, inbox: 2, device: 3, broker: 3, bridge: 3, gateway: 4, cli: 5 }

/** Packages that one file alone imports, so that another could take their place. */
const homeOf: Readonly<Record<string, string>> = {
  aedes: 'broker/aedes.ts',
  'cbor-x': 'schemas/telemetry.ts',
  'i2c-bus': 'device/i2c.ts',
  lmdb: 'inbox/environment.ts'
}

/** The sentences about one file that breaks the rules of CONTRIBUTING.md. */
function faultsOf (path: string, source: string): string[] {
  const faults: string[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier !== undefined) faults.push(...importFaults(path, specifier))
    if (isMember(node, 'process', 'env') && path !== 'lib/config.ts') faults.push(`${path} reads process.env: only lib/config.ts may`)
    if (isMember(node, 'console')) faults.push(`${path} uses console: a process writes through its log, a command through process.stdout`)
    if (isDefaultExport(node)) faults.push(`${path} has a default export: exports have names`)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.Latest))
  return faults
}

function importFaults (path: string, specifier: string): string[] {
  const home = homeOf[specifier]
  if (home !== undefined) return home === path ? [] : [`${path} imports ${specifier}: only ${home} may`]
  if (specifier === 'process' || specifier === 'node:process') return [`${path} imports ${specifier}: process is global, and its env belongs to lib/config.ts`]
  if (!specifier.startsWith('.')) return []
  const target = posix.join(posix.dirname(path), specifier)
  const [from, to] = [folderOf(path), folderOf(target)]
  if (from === to || rankOf[to]! < rankOf[from]!) return []
  return [`${path} imports ${target}: ${from} must not know ${to} (lib <- schemas <- inbox <- device | broker | bridge <- gateway <- cli)`]
}

function folderOf (path: string): string {
  return path.slice(0, path.indexOf('/'))
}

/** What an import, a re-export, a dynamic import or an `import()` type names. */
function specifierOf (node: ts.Node): string | undefined {
  const specifier = ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
    ? node.moduleSpecifier
    : ts.isCallExpression(node) && (node.expression.kind === ts.SyntaxKind.ImportKeyword || isNamed(node.expression, 'require'))
      ? node.arguments[0]
      : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined
  return specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : undefined
}

function isMember (node: ts.Node, object: string, name?: string): boolean {
  return ts.isPropertyAccessExpression(node) && isNamed(node.expression, object) && (name === undefined || node.name.text === name)
}

function isNamed (node: ts.Node, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name
}

function isDefaultExport (node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true
  if (ts.isExportSpecifier(node)) return node.name.text === 'default'
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(modifier => modifier.kind === ts.SyntaxKind.DefaultKeyword)
}

t.test('no source breaks the rules of imports', async t => {
  const sources = readSources()
  t.same([...new Set(sources.map(({ path }) => folderOf(path)))], Object.keys(rankOf), 'every folder has sources')
  t.same(sources.flatMap(({ path, source }) => faultsOf(path, source)), [])
})

t.test('each rule finds its breach', async t => {
  const breaches: ReadonlyArray<readonly [path: string, source: string, fault: RegExp]> = [
    ['lib/log.ts', "import { type Topics } from '../schemas/topics.ts'", /^lib\/log.ts imports schemas\/topics.ts: lib must not know schemas/],
    ['inbox/inbox.ts', "export { x } from '../broker/broker.ts'", /inbox must not know broker/],
    ['device/bmp180/driver.ts', "const x = await import('../../bridge/bridge.ts')", /^device\/bmp180\/driver.ts imports bridge\/bridge.ts: device must not know bridge/],
    ['broker/broker.ts', "type X = import('../bridge/bridge.ts').Bridge", /broker must not know bridge/],
    ['gateway/gateway.ts', "import '../test/helpers/clock.ts'", /gateway must not know test/],
    ['broker/broker.ts', "import { type Client } from 'aedes'", /^broker\/broker.ts imports aedes: only broker\/aedes.ts may/],
    ['device/agent.ts', "const i2c = require('i2c-bus')", /imports i2c-bus: only device\/i2c.ts may/],
    ['cli/isobar.ts', 'const dir = process.env.HOME', /reads process.env/],
    ['cli/isobar.ts', "import { env } from 'node:process'", /imports node:process/],
    ['cli/isobar.ts', 'console.log(1)', /uses console/],
    ['cli/isobar.ts', 'export default function main () {}', /default export/],
    ['cli/isobar.ts', 'const x = 1; export default x', /default export/],
    ['cli/isobar.ts', 'const x = 1; export { x as default }', /default export/]
  ]
  for (const [path, source, fault] of breaches) t.match(faultsOf(path, source), [fault], source)
})

t.test('what the rules allow is not found', async t => {
  const sources = ["import { type Topics } from '../schemas/topics.ts'", "import { x } from './x.ts'", "import pg from 'pg'", '// process.env, console.log', "const text = 'import x from \"aedes\"'", 'process.stdout.write(process.argv[0])']
  for (const source of sources) t.same(faultsOf('bridge/bridge.ts', source), [], source)
})
