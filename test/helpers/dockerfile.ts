import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package.ts'

/** An instruction of a Dockerfile: its word, and the rest with continued lines joined. */
export interface Instruction {
  readonly word: string
  readonly rest: string
}

/** A COPY, without its flags. `from` is null for the build context, else the name of a stage. */
export interface Copy {
  readonly from: string | null
  readonly sources: readonly string[]
  readonly target: string
}

/** The instructions of the Dockerfile, a list for each of its stages. */
export function readDockerfile (): ReadonlyArray<readonly Instruction[]> {
  const text = readFileSync(join(packageRoot, 'Dockerfile'), 'utf8').replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '')
  const stages: Instruction[][] = []
  for (const line of text.split('\n').filter(line => line.trim() !== '')) {
    const [, word, rest] = /^([A-Z]+) (.*)$/.exec(line)!
    if (word === 'FROM') stages.push([])
    stages.at(-1)!.push({ word: word!, rest: rest! })
  }
  return stages
}

/** The rests of all instructions with this word. */
export function restsOf (stage: readonly Instruction[], word: string): readonly string[] {
  return stage.filter(instruction => instruction.word === word).map(({ rest }) => rest)
}

/** The variables of ENV. */
export function environmentOf (stage: readonly Instruction[]): Readonly<Record<string, string>> {
  return Object.fromEntries(restsOf(stage, 'ENV').flatMap(rest => rest.split(' ')).map(pair => pair.split('=', 2) as [string, string]))
}

export function copiesOf (stage: readonly Instruction[]): readonly Copy[] {
  return restsOf(stage, 'COPY').map(rest => {
    const words = rest.split(' ').filter(word => !word.startsWith('--'))
    return { from: /--from=(\S+)/.exec(rest)?.[1] ?? null, sources: words.slice(0, -1), target: words.at(-1)! }
  })
}
