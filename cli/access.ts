import { Command, Option } from 'commander'

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

export interface CheckOptions {
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
    .action(async (options: CheckOptions) => await (await import('./access-work.ts')).check(options)) // the rules are not a part of a device's installation
}
