import t from 'tap'
import { filterFault, matches, overlap } from '../../../broker/access/filters.ts'

const levels = (text: string): readonly string[] => text.split('/')

t.test('a filter matches a topic as [MQTT-4.7] says', async t => {
  const cases: ReadonlyArray<readonly [filter: string, topic: string, matched: boolean]> = [
    ['a/b', 'a/b', true], ['a/b', 'a', false], ['a', 'a/b', false], ['a/+', 'a/b', true], ['a/+', 'a', false], ['a/+', 'a/', true], ['a/+', 'a/b/c', false],
    ['a/#', 'a', true], ['a/#', 'a/b/c', true], ['#', 'a/b', true], ['+', 'a', true], ['+', '/a', false], ['+/+', '/a', true], ['/#', '/a', true],
    ['#', '$SYS/x', false], ['+/x', '$SYS/x', false], ['$SYS/#', '$SYS/x', true], ['$SYS/+', '$SYS/x', true], ['a/+/c', 'a/b/c', true], ['a/+/c', 'a/b/d', false]
  ]
  for (const [filter, topic, matched] of cases) t.equal(matches(levels(filter), levels(topic)), matched, `${filter} and ${topic}`)
})

t.test('two filters overlap when a topic matches both', async t => {
  const cases: ReadonlyArray<readonly [one: string, other: string, overlapped: boolean]> = [
    ['a/b', 'a/b', true], ['a/+', '+/b', true], ['a/+', 'b/+', false], ['#', 'a/b', true], ['a/#', 'a', true], ['a/#', '+/b/+', true], ['a/b/#', 'a/c', false],
    ['a/+/c', 'a/b', false], ['#', '$SYS/#', false], ['+/x', '$SYS/x', false], ['$SYS/#', '$SYS/+/y', true], ['#', '+', true], ['a/+', 'a', false]
  ]
  for (const [one, other, overlapped] of cases) {
    t.equal(overlap(levels(one), levels(other)), overlapped, `${one} and ${other}`)
    t.equal(overlap(levels(other), levels(one)), overlapped, `${other} and ${one}`)
  }
})

t.test('overlap is what trying every short topic says', async t => {
  const parts = ['a', 'b', '+', '#', '$x']
  const filters = parts.flatMap(one => [one, ...parts.flatMap(two => [`${one}/${two}`, ...parts.map(three => `${one}/${two}/${three}`)])]).filter(filter => filterFault(filter) === null)
  const names = ['a', 'b', 'c', '$x']
  const topics = names.flatMap(one => [one, ...names.flatMap(two => [`${one}/${two}`, ...names.map(three => `${one}/${two}/${three}`)])]).map(levels)
  const wrong: string[] = []
  for (const one of filters) {
    for (const other of filters) {
      const tried = topics.some(topic => matches(levels(one), topic) && matches(levels(other), topic))
      if (tried !== overlap(levels(one), levels(other))) wrong.push(`${one} and ${other}`)
    }
  }
  t.same(wrong, [])
})

t.test('wildcards stand alone in their level, # in the last', async t => {
  for (const filter of ['a', '/', 'a//b', '+', '#', 'a/+/#', ' a b ']) t.equal(filterFault(filter), null, filter)
  for (const filter of ['', 'a#', '#/a', 'a/#/b', 'a+', '+a/b', 'a/b+/c', '##']) t.type(filterFault(filter), 'string', filter)
})
