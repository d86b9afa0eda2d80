import { Command, Option } from 'commander'
import { readAccessRules } from '../broker/access/access-files.ts'
import { asksPassword, identify, rightsOf, type AccessRules, type Claim, type Identity } from '../broker/access/access-rules.ts'
import { isPassword } from '../broker/access/password.ts'
import { type Action, type Decision } from '../broker/access/rights.ts'
import { IsobarError } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'
import { Topics } from '../schemas/topics.ts'
import { printable } from './escape.ts'
import { printLines } from './output.ts'
import { readPassword } from './password-input.ts'

/** `isobar access`: questions to the access rules. */
export function accessCommand (): Command {
  return new Command('access')
    .summary('ask who may do what, and which rule says so')
    .description('Ask who may do what, and which rule says so: of the files that the settings name, without a gateway.')
    .helpCommand(false)
    .addCommand(checkCommand())
    .addHelpText('after', `
Examples:
  isobar access check --user pi-attic --topic iot/v1/pi-attic/tele --write

Exit codes: 0 yes, 1 no or an error, 2 wrong usage.`)
}

interface CheckOptions {
  readonly user?: string
  readonly clientId?: string
  readonly topic?: string
  readonly write?: true
  readonly subscribe?: true
  readonly elsewhere?: true
  readonly certificate?: true
  readonly password?: true
  readonly json?: true
}

function checkCommand (): Command {
  return new Command('check')
    .summary('say whether a client may log in, and publish, read or subscribe')
    .description('Say whether a client may log in, and whether it may read, publish or subscribe; and which line of which file, or which built-in rule, decides.')
    .option('--user <name>', 'its user name (default: a client without one)')
    .option('--client-id <id>', 'its client id (default: the user name, or one that nobody has)')
    .option('--topic <topic>', 'a topic, or with --subscribe a filter (default: only the login is asked)')
    .addOption(new Option('--write', 'whether it may publish there (default: whether it may receive what is published there)').conflicts('subscribe'))
    .option('--subscribe', 'whether a subscription with that filter is granted')
    .option('--elsewhere', 'it comes over a listener that is not loopback')
    .addOption(new Option('--certificate', 'it shows a certificate with that name, no password').conflicts('password'))
    .option('--password', 'check its password too: asked for, or the first line of stdin')
    .option('--json', 'print an object a line: what, allowed, rule, where')
    .addHelpText('after', `
Without --password the right one is taken for granted.

Examples:
  isobar access check --user pi-attic --topic iot/v1/pi-attic/tele --write
  isobar access check --user alice --client-id laptop --topic 'iot/#' --subscribe
  isobar access check --elsewhere

Exit codes: 0 yes, 1 no or an error, 2 wrong usage.`)
    .action(check)
}

/** An answer, as it is printed. */
interface Answer extends Decision {
  readonly what: string
}

async function check (options: CheckOptions): Promise<void> {
  const settings = loadSettings()
  const { user = null, clientId = user ?? 'nobody-has-this-id', elsewhere, certificate, topic } = options
  const { rules, warnings } = await readAccessRules(settings.access)
  for (const warning of warnings) process.stderr.write(`isobar: ${printable(warning)}\n`)
  const claim: Claim = { user, clientId, certificate: certificate === true ? user : null, loopback: elsewhere !== true, hasToken: false }
  const identified = identify(rules, claim)
  const login = options.password === true && identified.ok && asksPassword(claim) ? await passwordDecision(rules, user!) ?? identified.rule : identified.rule
  const who = identified.ok ? `${nameOf(identified.identity)} (${identified.identity.kind})` : user ?? 'a client without a user name'
  const answers: Answer[] = [{ what: `${who} may log in`, ...login }]
  if (topic !== undefined && identified.ok && login.allowed) answers.push(topicAnswer(rules, identified.identity, options, new Topics(settings.topics.root)))
  await printLines(answers.map(answer => options.json === true ? JSON.stringify(answer) : lineOf(answer)))
  const refused = answers.find(({ allowed }) => !allowed)
  if (refused !== undefined) throw new IsobarError('ISO_ACCESS_DENIED', { detail: refused.rule })
}

async function passwordDecision ({ passwords }: AccessRules, user: string): Promise<Decision | null> {
  const { credential, line } = passwords!.accounts.get(user)!
  const isRight = await isPassword(credential, Buffer.from(await readPassword(`password of ${printable(user)}`)))
  return isRight ? null : { allowed: false, rule: 'the password is another one', where: `${passwords!.path}:${line}` }
}

function topicAnswer (rules: AccessRules, identity: Identity, { topic = '', write, subscribe }: CheckOptions, topics: Topics): Answer {
  const rights = rightsOf(rules, identity, topics)
  const action: Action = write === true ? 'write' : 'read'
  if (subscribe === true) return { what: `${nameOf(identity)} may subscribe to ${topic}`, ...rights.decideFilter(topic) }
  if (/[+#]/.test(topic)) throw new IsobarError('ISO_CLI_USAGE', { detail: 'a topic has no wildcards; with --subscribe it is a filter' })
  return { what: `${nameOf(identity)} may ${action === 'write' ? 'publish to' : 'receive'} ${topic}`, ...rights.decide(action, topic) }
}

function nameOf ({ user, clientId }: Identity): string {
  return user === null ? 'a client without a user name' : user === clientId ? user : `${user} as ${clientId}`
}

/** `yes  pi-attic may publish to x: pattern write x (acl:3)` */
function lineOf ({ allowed, what, rule, where }: Answer): string {
  return printable(`${allowed ? 'yes' : 'no '}  ${what}: ${rule}${where === null ? '' : ` (${where})`}`)
}
