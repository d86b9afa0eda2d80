import { readAccessRules } from '../broker/access/access-files.ts'
import { asksPassword, identify, rightsOf, type AccessRules, type Claim, type Identity } from '../broker/access/access-rules.ts'
import { isPassword } from '../broker/access/password.ts'
import { type Action, type Decision } from '../broker/access/rights.ts'
import { IsobarError } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'
import { Topics } from '../schemas/topics.ts'
import { type CheckOptions } from './access.ts'
import { printable } from './escape.ts'
import { printLines } from './output.ts'
import { readPassword } from './password-input.ts'

/** An answer, as it is printed. */
interface Answer extends Decision {
  readonly what: string
}

/** Answers `isobar access check`. @throws IsobarError ISO_ACCESS_DENIED when the answer is no */
export async function check (options: CheckOptions): Promise<void> {
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
