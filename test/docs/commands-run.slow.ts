import { access, mkdir, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import t from 'tap'
import { createProgram } from '../../cli/program.ts'
import { openCheckout, type RunningCommand, type ShellResult } from '../helpers/checkout.ts'
import { commandsOf, pages } from '../helpers/doc-commands.ts'
import { startTestGateway, untilReady } from '../helpers/gateway.ts'
import { connectRaw, packets } from '../helpers/raw-mqtt.ts'

// Every command of the README and of docs/ works as printed: in a copy of the project, beside one gateway with simulated devices. Nothing in
// them is changed. What differs from a reader's machine comes through the environment and through the programs' own configuration files:
// the ports, the home folder, and `data`, which is a link.

t.setTimeout(3_600_000) // two minutes of one core; a shared machine may have a tenth of one

/** Commands that are not run here, and why. One that matches nothing has to go. */
const notRun: ReadonlyArray<readonly [pattern: RegExp, reason: string]> = [
  [/^npm ci\b/, 'installs packages from the registry; .ci/run does it in a fresh clone'],
  [/^npm (test|run check)$/, 'runs all tests, this one among them; .ci/run does it'],
  [/^npm run build$/, 'npx has done it, at its first use in this copy'],
  [/^npm run bench/, 'takes long, and its figures want a quiet machine'],
  [/^npm install --prefix deploy\/device/, 'asks the registry; test/deploy/device.test.ts compares its result'],
  [/^npx tap (--reporter=tap )?test\//, 'other files of the suite are these; -g is tried here'],
  [/--inspect-brk/, 'waits for a debugger'],
  [/^git pull$/, 'wants a repository with a remote'],
  [/^sudo |&& sudo /, 'changes the machine'],
  [/^(scp|ssh) |^journalctl |^node cli\/isobar\.mjs device --simulate$/, 'runs on a Pi; test/deploy/device.test.ts has the same install'],
  [/^docker compose /, 'wants a Docker daemon; test/deploy has the image and the compose files'],
  [/^(npx )?isobar device$|^ISOBAR_DEVICE_ID=pi-attic .*isobar device$/, 'wants a BMP180'],
  [/(crate|broker)\.example/, 'that host is an example'],
  [/isobar completion zsh/, 'is for zsh, whose fpath names the folder']
]

/** Sections whose commands depend on each other and on stopped gateways: test/docs/operations-run.slow.ts gives them in order. */
const elsewhere = ['Back up', 'Restore', 'Moving to CrateDB']

/** They run until Ctrl-C. */
const endless = /^([A-Z_]+=\S+ )*(npm start|(npx )?isobar (gateway|device(?! install)|tail|simulate|rejections --follow)\b(?!.*--count)|node .*isobar\.js gateway)/
const startsGateway = /npm start|isobar gateway|isobar\.js gateway/
/** Longest wait for the first word of a command that may have nothing to say, such as `tail` of a device that is not there. */
const silentMs = 5_000
/** They ask or change the password file, which the gateway of this test does not have. */
const wantsPasswords = /isobar (access|devices (add|disable|enable|remove))\b/

/**
 * They end with 1, as their pages say: a value that is refused, an id that a reader has and this gateway has not, and the README's garbage, which
 * is dead again when it is replayed; questions to the access rules whose answer is no; and a login whose password would be written over that of the command before.
 */
const refused: readonly RegExp[] = [/^ISOBAR_DEVICE_INTERVAL=1min isobar config check$/, /^isobar dlq show 3f9a1c$/, /^isobar dlq replay --all$/, /isobar access check (.*pi-cellar|--user alice|--elsewhere)/, /^isobar devices add pi-attic$/]

const all = pages.flatMap(commandsOf)
const once = all.filter(({ command }, index) => all.findIndex(other => other.command === command) === index)
const here = once.filter(({ command, file, heading }) => reasonOf(command) === null && !(file === 'docs/OPERATIONS.md' && elsewhere.includes(heading)))

function reasonOf (command: string): string | null {
  return notRun.find(([pattern]) => pattern.test(command))?.[1] ?? null
}

t.test('the pages have commands, and each reason not to run one is still needed', async t => {
  t.ok(here.length > 40, `${here.length} commands are run, ${once.length - here.length} are not`)
  for (const page of ['README.md', 'docs/OPERATIONS.md', 'docs/DEVELOPING.md', 'docs/COMMANDS.md', 'docs/DEVICE.md']) t.ok(commandsOf(page).length > 0, page)
  for (const [pattern] of notRun) t.ok(once.some(({ command }) => pattern.test(command)), String(pattern))
  t.same(elsewhere.filter(heading => !commandsOf('docs/OPERATIONS.md').some(command => command.heading === heading)), [])
})

t.test('every command of isobar has options that it has, whether or not it is run', async t => {
  for (const { command, at } of once) {
    const [, words] = /(?:npx isobar|^isobar|node cli\/isobar\.mjs) ([^|>]*)/.exec(command) ?? []
    if (words === undefined) continue
    const args = [...words.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain!)
    const program = createProgram()
    for (const each of program.commands.flatMap(command => [command, ...command.commands])) each.action(() => {})
    await program.parseAsync(args, { from: 'user' }).catch((error: { exitCode?: number }) => t.equal(error.exitCode, 0, `${at}: ${command}`)) // --help and --version end it so
  }
})

t.test('every command works as printed', async t => {
  const checkout = await openCheckout(t)
  const gateway = await startTestGateway(t, {}, ['--simulate', '3'])
  await untilReady(gateway.httpUrl)
  await symlink(gateway.dataDir, join(checkout.dir, 'data'))
  await writeFile(join(checkout.dir, 'placements.csv'), 'device_id,valid_from,site,room,altitude_m\nsim-2,2026-01-01,home,cellar,304\n')
  await configure(checkout.dir, gateway)
  const { port } = new URL(gateway.databaseUrl)
  const sender = await connectRaw(t, gateway.mqttUrl, { clientId: 'sender' })
  sender.send(packets.publish({ topic: 'iot/v1/broken/tele', payload: 'garbage', qos: 1 })) // the README's, where mosquitto_pub is not installed
  await sender.next('puback')
  const beside = { ISOBAR_MQTT: gateway.mqttUrl, ISOBAR_HTTP: gateway.httpUrl, ISOBAR_DATABASE_PORT: port, ISOBAR_DEVICE_BROKER: gateway.mqttUrl, ISOBAR_INBOX_RESERVE: '0' }
  const passwords = { ...beside, ISOBAR_PASSWORD_FILE: join(checkout.dir, '..', 'passwords') }
  for (const user of ['pi-attic', 'alice']) await checkout.run(`isobar passwd ${user} --generate`, passwords)
  const apart = { ISOBAR_MQTT: 'mqtt://127.0.0.1:0', ISOBAR_HTTP: 'http://127.0.0.1:0', ISOBAR_DATABASE_PORT: '0', ISOBAR_DATA: join(checkout.dir, '..', 'apart'), ISOBAR_INBOX_RESERVE: '0' }

  for (const { command, setup, at } of here) {
    const missing = await missingPrograms(command)
    await t.test(`${at}: ${command}`, { skip: missing.length > 0 && `${missing.join(', ')} is not installed` }, async t => {
      const text = [...setup, command].join('\n')
      const env = startsGateway.test(command) ? apart : wantsPasswords.test(command) ? passwords : beside
      if (endless.test(command)) {
        const { code, output } = await untilCtrlC(checkout.start(text, env), command)
        t.ok(code === 0 || (code === 130 && /\bnp[mx] /.test(command)), 'npm and npx say 130 for any Ctrl-C, the command itself 0', { code, output })
        if (greets(command)) t.match(output, /\nStopping\.\n/)
      } else {
        const { code, output } = await checkout.run(text, env)
        t.equal(code, refused.some(pattern => pattern.test(command)) ? 1 : 0, 'exit code', { output })
      }
    })
  }
})

/** Lets it run until it says that it does, and for a moment more. */
async function untilCtrlC (running: RunningCommand, command: string): Promise<ShellResult> {
  if (greets(command)) await running.until(/Ctrl-C stops it/)
  else await running.until(/simulate/.test(command) ? /\d connected/ : /\S/, /simulate/.test(command) ? undefined : silentMs)
  await new Promise(resolve => setTimeout(resolve, 300))
  return await running.ctrlC()
}

/** Whether a command says that it runs, and how it is stopped. */
function greets (command: string): boolean {
  return startsGateway.test(command) || /isobar device /.test(command)
}

/** Sends programs that have the default ports built in, or in what is printed, to the gateway of this test. */
async function configure (dir: string, { mqttUrl, httpUrl }: { mqttUrl: string, httpUrl: string }): Promise<void> {
  const home = join(dir, '..', 'home')
  const { hostname, port } = new URL(mqttUrl)
  await mkdir(join(home, '.config', 'fish', 'completions'), { recursive: true })
  await mkdir(join(home, '.local', 'share', 'bash-completion', 'completions'), { recursive: true })
  await writeFile(join(home, '.config', 'mosquitto_pub'), `-h ${hostname}\n-p ${port}\n`)
  await writeFile(join(home, '.config', 'mosquitto_sub'), `-h ${hostname}\n-p ${port}\n-C 1\n-W 20\n`) // one message is enough
  await writeFile(join(home, '.curlrc'), `connect-to = "127.0.0.1:8080:${new URL(httpUrl).host}"\nfail\n`)
}

/** Those of the programs of a pipeline that this machine does not have. */
async function missingPrograms (command: string): Promise<string[]> {
  const programs = command.split(/\||&&|\$\(/).map(part => part.trim().split(/\s+/).find(word => !/^[A-Z_]+=/.test(word))!)
  const known = ['psql', 'curl', 'jq', 'mosquitto_sub', 'mosquitto_pub', 'xxd', 'openssl', 'docker']
  const missing: string[] = []
  for (const program of programs.filter(program => known.includes(program))) {
    const found = await Promise.any(process.env.PATH!.split(delimiter).map(async folder => await access(join(folder, program)))).then(() => true, () => false)
    if (!found) missing.push(program)
  }
  return missing
}
