import { IsobarError } from '../../lib/errors.ts'
import { linesOf, type Line } from './file-lines.ts'
import { filterFault } from './filters.ts'

export const accessWords = ['read', 'write', 'readwrite', 'deny'] as const
export type AccessWord = typeof accessWords[number]

/** One rule of an acl_file. */
export interface AclRule {
  readonly line: number
  readonly keyword: 'topic' | 'pattern'
  readonly access: AccessWord
  /** In a pattern %u and %c stand for user name and client id. */
  readonly filter: string
}

export interface AclFile {
  readonly path: string
  /** The rules for clients without a user name, and for nobody else. */
  readonly anonymous: readonly AclRule[]
  readonly users: ReadonlyMap<string, readonly AclRule[]>
  /** The rules for everybody. */
  readonly patterns: readonly AclRule[]
  /** What is valid and may not be what was meant. */
  readonly warnings: readonly string[]
}

/**
 * Reads an acl_file of mosquitto: `topic [read|write|readwrite|deny] <filter>` for whoever stands in the last line `user <name>` (before the first one: for clients without
 * a user name), and `pattern …` for everybody, wherever it stands.
 * @param path for the text of errors
 * @throws IsobarError ISO_ACCESS_ACL_FILE with path and line: for anything that is none of these, since half of the rules is worse than none
 */
export function parseAclFile (path: string, text: string): AclFile {
  const anonymous: AclRule[] = []
  const users = new Map<string, AclRule[]>()
  const patterns: AclRule[] = []
  const warnings: string[] = []
  let block = anonymous
  const lines = linesOf(text)
  if (lines.length === 0) throw new IsobarError('ISO_ACCESS_ACL_FILE', { detail: `${path} has no rule` })
  for (const line of lines) {
    const { keyword, rest } = split(path, line)
    if (keyword === 'user') {
      block = users.get(rest) ?? []
      users.set(rest, block)
      continue
    }
    const rule = ruleOf(path, line, keyword, rest)
    if (keyword === 'pattern') patterns.push(rule)
    else block.push(rule)
    warnings.push(...doubtsOf(rule).map(doubt => `${path}:${line.number}: ${doubt}`))
  }
  return { path, anonymous, users, patterns, warnings }
}

/** The keyword of a line and what stands behind it. Blanks separate; a tab does not. */
function split (path: string, line: Line): { keyword: 'user' | 'topic' | 'pattern', rest: string } {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(line.text)) throw broken(path, line, 'control characters (a tab is one) stand in no rule; use blanks')
  const [, keyword, rest = ''] = /^ *([^ ]+) *(.*)$/.exec(line.text)!
  if (keyword !== 'user' && keyword !== 'topic' && keyword !== 'pattern') {
    const comment = keyword!.startsWith('#') ? '; a comment begins in the first column' : ''
    throw broken(path, line, `"${keyword}" is none of user, topic, pattern${comment}`)
  }
  if (rest === '') throw broken(path, line, `nothing stands behind "${keyword}"`)
  return { keyword, rest }
}

function ruleOf (path: string, line: Line, keyword: 'topic' | 'pattern', rest: string): AclRule {
  const [, word = '', behind = ''] = /^([^ ]+) *(.*)$/.exec(rest)!
  if (behind !== '' && !isAccessWord(word)) throw broken(path, line, `"${word}" is none of ${accessWords.join(', ')}; without such a word a filter has no blanks`)
  const filter = behind === '' ? word : behind
  const fault = filterFault(filter)
  if (fault !== null) throw broken(path, line, `${fault}: ${filter}`)
  return { line: line.number, keyword, access: behind === '' ? 'readwrite' : word as AccessWord, filter }
}

function doubtsOf ({ keyword, access, filter }: AclRule): readonly string[] {
  const doubts: string[] = []
  if (access === 'readwrite' && isAccessWord(filter)) doubts.push(`this lets everything pass on the topic "${filter}"; a filter is missing behind the word`)
  if (keyword === 'topic') return doubts
  if (filter.split('/').some(level => /%[uc]/.test(level) && level !== '%u' && level !== '%c')) doubts.push('%u and %c are replaced only where they are a whole level')
  if (!/(?:^|\/)%[uc](?:\/|$)/.test(filter)) doubts.push('a pattern without %u and %c is the same for every client')
  return doubts
}

function isAccessWord (word: string): word is AccessWord {
  return accessWords.includes(word as AccessWord)
}

function broken (path: string, line: Line, fault: string): IsobarError {
  return new IsobarError('ISO_ACCESS_ACL_FILE', { detail: `${path}:${line.number}: ${fault}` })
}
