import { type Line, type Person, type Word, type World } from './access-model.ts'

export type Random = () => number

/** Who knocks in the drawn test: devices, people, a token, nobodies from here and elsewhere; behind those `honest` ones some who say that they are somebody else. */
export const people: readonly Person[] = [
  { user: 'pi-1', password: 'pw', clientId: 'pi-1', loopback: false },
  { user: 'pi-2', password: 'pw', clientId: 'pi-2', loopback: true },
  { user: 'alice', password: 'pw', clientId: 'laptop', loopback: false },
  { user: 'boss', password: 'pw', clientId: 'desk', loopback: true },
  { user: 'page', password: 'the-token-of-the-page', clientId: 'page', loopback: false },
  { user: null, password: null, clientId: 'shell', loopback: true },
  { user: null, password: null, clientId: 'visitor', loopback: false },
  { user: 'pi-2', password: 'pw', clientId: 'pi-1', loopback: false },
  { user: 'boss', password: 'pw', clientId: 'pi-2', loopback: true },
  { user: null, password: null, clientId: 'pi-1', loopback: true },
  { user: 'pi-1', password: 'guess', clientId: 'pi-1', loopback: false },
  { user: 'pi-1', password: 'pw2', clientId: 'pi-1', loopback: true }
]

export const honest = 7

export const topics = ['iot/v1/pi-1/tele', 'iot/v1/pi-1/state', 'iot/v1/pi-1/cfg', 'iot/v1/pi-1/cfg/set', 'iot/v1/pi-2/tele', 'iot/v1/pi-2/res/7', 'a', 'a/b', 'a/pi-1', 'a/laptop', 'alice/notes', '$SYS/x'] as const

export const filters = [...topics, '#', '+/+', 'a/#', 'a/+', '+/pi-1', 'iot/v1/+/state', 'iot/v1/pi-1/#', 'iot/v1/pi-2/#', 'iot/#', '$SYS/#', '$share/g/a/b'] as const

const words: readonly Word[] = ['read', 'write', 'readwrite', 'readwrite', 'deny']
const granted = ['a', 'a/b', 'a/#', 'a/+', '#', '+/+', '+/pi-1', 'iot/v1/pi-1/#', 'iot/v1/+/state', 'iot/v1/+/tele', 'alice/#', '$SYS/#'] as const
const patterns = ['a/%c', 'a/%u', '%u/#', 'iot/v1/%u/#', 'iot/v1/%c/+', '+/%u', 'a/b'] as const

export function pick<T> (random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!
}

/** What the settings of a gateway fix for its whole life, and the rules that its files begin with. */
export function drawWorld (random: Random): World {
  const fixed = { anonymous: pick(random, ['0', 'loopback', '1'] as const), operators: random() < 0.7 ? ['boss'] : [], token: 'the-token-of-the-page' }
  return redraw(random, { ...fixed, users: new Map(), lines: random() < 0.7 ? [] : null })
}

/** The same gateway with other files. */
export function redraw (random: Random, { lines, ...world }: World): World {
  const users = new Map(['pi-1', 'pi-2', 'alice', 'boss'].filter(name => name === 'boss' || random() < 0.9).map(name => [name, { password: random() < 0.9 ? 'pw' : 'pw2', enabled: random() < 0.9 }]))
  return { ...world, users, lines: lines === null ? null : Array.from({ length: 2 + Math.floor(random() * 14) }, () => drawLine(random)) }
}

function drawLine (random: Random): Line {
  const isPattern = random() < 0.35
  return isPattern ? { of: 'everybody', word: pick(random, words), filter: pick(random, patterns) } : { of: pick(random, [null, 'pi-1', 'pi-2', 'alice', 'boss']), word: pick(random, words), filter: pick(random, granted) }
}
