import t from 'tap'
import { parseAclFile } from '../../../broker/access/acl-file.ts'
import { aclRights, operatorAclRights } from '../../../broker/access/acl-rights.ts'
import { type Action } from '../../../broker/access/rights.ts'

/** `user as client id`; `-` is a client without a user name. */
function rightsOf (text: string, who: string): ReturnType<typeof aclRights> {
  const [user, clientId = user] = who.split(' as ')
  return aclRights(parseAclFile('acl', text), { user: user === '-' ? null : user!, clientId: clientId! })
}

/** `+ acl:3` or `- acl:3`: yes or no, and the line that decided; `- acl` when none did. */
function answer (text: string, who: string, action: Action, topic: string): string {
  const { allowed, where } = rightsOf(text, who).decide(action, topic)
  return `${allowed ? '+' : '-'} ${where}`
}

t.test('a rule gives what its word says, to whom its block belongs', async t => {
  const acl = 'topic read public/#\nuser alice\ntopic lab/#\ntopic read r\ntopic write w\ntopic readwrite rw x/y\nuser bob\ntopic read b\nuser alice\ntopic write late\n'
  const cases: ReadonlyArray<readonly [who: string, action: Action, topic: string, answered: string]> = [
    ['-', 'read', 'public/x', '+ acl:1'], ['-', 'write', 'public/x', '- acl'], ['alice', 'read', 'public/x', '- acl'],
    ['alice', 'read', 'lab/1', '+ acl:3'], ['alice', 'write', 'lab/1', '+ acl:3'], ['alice', 'read', 'r', '+ acl:4'], ['alice', 'write', 'r', '- acl'],
    ['alice', 'write', 'w', '+ acl:5'], ['alice', 'read', 'w', '- acl'], ['alice', 'write', 'rw x/y', '+ acl:6'], ['alice', 'write', 'late', '+ acl:10'],
    ['bob', 'read', 'lab/1', '- acl'], ['bob', 'read', 'b', '+ acl:8'], ['carol', 'read', 'b', '- acl']
  ]
  for (const [who, action, topic, answered] of cases) t.equal(answer(acl, who, action, topic), answered, `${who} ${action} ${topic}`)
})

t.test('the order is: denials of the user, grants of the user, pattern denials, pattern grants, no', async t => {
  const acl = [
    'pattern read p/%u/#', // 1
    'pattern deny p/%u/no', // 2
    'pattern deny t/%u', // 3
    'user u1',
    'topic t/#', // 5
    'topic deny t/secret', // 6
    'topic write only/w', // 7
    'topic read only/#', // 8
    'topic read p/u1/no' // 9
  ].join('\n')
  const cases: ReadonlyArray<readonly [who: string, action: Action, topic: string, answered: string, why: string]> = [
    ['u1', 'read', 't/secret', '- acl:6', 'a denial beats a grant that stands before it'],
    ['u1', 'read', 't/u1', '+ acl:5', "a user's grant beats a pattern's denial"],
    ['u2', 'read', 't/u2', '- acl:3', 'a pattern denies whom no own rule lets through'],
    ['u1', 'read', 'p/u1/no', '+ acl:9', 'own grant before pattern denial'],
    ['u2', 'read', 'p/u2/no', '- acl:2', 'among patterns the denial is first, wherever it stands'],
    ['u2', 'read', 'p/u2/yes', '+ acl:1', 'a pattern grants'],
    ['u2', 'write', 'p/u2/yes', '- acl', 'but only what its word says'],
    ['u2', 'read', 'p/u1/yes', '- acl', 'and to nobody else'],
    ['u1', 'read', 'only/w', '+ acl:8', 'a match without the wanted word goes on to the next'],
    ['u1', 'write', 'only/w', '+ acl:7', 'a match with it decides']
  ]
  for (const [who, action, topic, answered, why] of cases) t.equal(answer(acl, who, action, topic), answered, why)
})

t.test('%u and %c are replaced where they are a whole level', async t => {
  const acl = 'pattern readwrite %u/%c/x\npattern read c/%c\npattern read dev-%u/x\nuser a\ntopic read %u/y\n'
  t.equal(answer(acl, 'a as b', 'write', 'a/b/x'), '+ acl:1')
  t.equal(answer(acl, 'a as b', 'write', 'b/a/x'), '- acl')
  t.equal(answer(acl, 'a as b', 'read', 'dev-a/x'), '- acl', 'not inside a level')
  t.equal(answer(acl, 'a as b', 'read', 'a/y'), '- acl', 'not in a topic rule')
  t.equal(answer(acl, '- as b', 'read', 'c/b'), '+ acl:2')
  t.equal(answer(acl, '- as b', 'write', '/b/x'), '- acl', 'a pattern with %u is not for clients without a user name')
})

t.test('a name or id with + or # has no patterns, and a wildcard in it opens nothing', async t => {
  const acl = 'pattern readwrite iot/%u/#\npattern read c/%c\nuser +\ntopic read own\n'
  for (const who of ['+', '#', 'a+b', 'alice as #']) t.equal(answer(acl, who, 'read', 'iot/victim/tele'), '- acl', who)
  t.equal(answer(acl, '+ as x', 'read', 'own'), '+ acl:4', 'its own rules hold')
  t.equal(answer('topic read a\nuser b\ntopic read b\n', '#', 'read', 'b'), '- acl')
})

t.test('a topic with $ matches only filters that begin with $', async t => {
  const acl = 'user a\ntopic read #\nuser b\ntopic read $SYS/#\nuser c\ntopic +/x\n'
  t.equal(answer(acl, 'a', 'read', '$SYS/broker/uptime'), '- acl')
  t.equal(answer(acl, 'b', 'read', '$SYS/broker/uptime'), '+ acl:4')
  t.equal(answer(acl, 'c', 'read', '$SYS/x'), '- acl')
})

t.test('a filter is granted when something that may be read can match it', async t => {
  const rights = rightsOf('user a\ntopic read lab/+/t\ntopic write out/#\ntopic deny lab/secret/t\n', 'a')
  for (const filter of ['#', 'lab/#', '+/+/t', 'lab/1/t', 'lab/+/+']) t.equal(rights.decideFilter(filter).allowed, true, filter)
  for (const filter of ['out/#', 'out/x', 'other', 'lab/+', 'lab/secret/t', '$SYS/#']) t.equal(rights.decideFilter(filter).allowed, false, filter)
})

t.test('an operator may do what no rule denies', async t => {
  const rights = operatorAclRights(parseAclFile('acl', 'topic deny iot/x\ntopic read a\nuser op\ntopic deny iot/y\npattern deny iot/%c\n'), { user: 'op', clientId: 'me' })
  for (const topic of ['iot/x', 'a', 'anything']) t.equal(rights.decide('write', topic).allowed, true, topic)
  for (const topic of ['iot/y', 'iot/me']) t.equal(rights.decide('write', topic).allowed, false, topic)
  t.equal(rights.decideFilter('#').allowed, true)
  t.equal(rights.decideFilter('iot/y').allowed, false)
})

t.test('blanks separate, CRLF and blanks at the end are cut, empty lines and comments are passed over', async t => {
  const { anonymous, users, patterns } = parseAclFile('acl', '\ufeff# c\r\n\r\n  topic   read   a b/c  \r\nuser  al ice \r\n   \r\ntopic x\r\npattern write %u\r\n')
  t.same(anonymous.map(({ line, access, filter }) => [line, access, filter]), [[3, 'read', 'a b/c']])
  t.same([...users].map(([name, rules]) => [name, rules.map(({ filter }) => filter)]), [['al ice', ['x']]])
  t.same(patterns.map(({ line }) => line), [7])
})

t.test('anything else refuses the file, with its line', async t => {
  const cases: ReadonlyArray<readonly [line: string, fault: RegExp]> = [
    [' # indented', /"#" is none of user, topic, pattern; a comment begins in the first column/],
    ['topics a', /"topics" is none of/], ['topic', /nothing stands behind "topic"/], ['user', /nothing stands behind "user"/], ['pattern', /nothing/],
    ['topic all a', /"all" is none of read, write, readwrite, deny/], ['topic a b', /"a" is none of/], ['topic\tread a', /a tab/], ['topic read\ta', /a tab/],
    ['topic read a#', /# must be alone/], ['topic a+/b', /\+ must be alone/], ['pattern read #/%u', /# must be alone/]
  ]
  for (const [line, fault] of cases) t.throws(() => parseAclFile('/etc/acl', `# x\n${line}\n`), { code: 'ISO_ACCESS_ACL_FILE', message: new RegExp(`/etc/acl:2: .*${fault.source}`) }, line)
  for (const text of ['', '\n\n', '# only a comment\n']) t.throws(() => parseAclFile('acl', text), { message: /acl has no rule/ }, JSON.stringify(text))
})

t.test('what is valid and may not be meant is a warning', async t => {
  t.same(parseAclFile('acl', 'topic read\npattern read dev-%u/x\npattern read a/#\ntopic read a\npattern read %u/#\n').warnings, [
    'acl:1: this lets everything pass on the topic "read"; a filter is missing behind the word',
    'acl:2: %u and %c are replaced only where they are a whole level',
    'acl:2: a pattern without %u and %c is the same for every client',
    'acl:3: a pattern without %u and %c is the same for every client'
  ])
})
