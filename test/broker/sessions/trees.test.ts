import t from 'tap'
import { FilterTree } from '../../../broker/sessions/filter-tree.ts'
import { TopicTree } from '../../../broker/sessions/topic-tree.ts'

/** What MQTT 3.1.1 section 4.7 says of a filter and a topic, a level at a time. */
function matches (filter: string, topic: string): boolean {
  const [f, t] = [filter.split('/'), topic.split('/')]
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  for (const [i, level] of f.entries()) {
    if (level === '#') return true
    if (t[i] === undefined || (level !== '+' && level !== t[i])) return false
  }
  return f.length === t.length
}

const names = ['a', 'b', '', '$x']
const topics: string[] = []
for (const first of names) {
  topics.push(first)
  for (const second of names) {
    topics.push(`${first}/${second}`)
    for (const third of names) topics.push(`${first}/${second}/${third}`)
  }
}
const filters = [...new Set([...topics, '#', '+', '+/#', 'a/#', 'a/+', '+/+', '+/b', '+/b/#', '/#', '/+', '$x/#', '$x/+', 'a/+/b', 'a/b/#', '+/+/+', '#/'.slice(0, 1)])]

t.test('a tree of filters finds whom a topic concerns, as section 4.7 has it, with the highest QoS of an owner', async t => {
  const tree = new FilterTree<string>()
  for (const [n, filter] of filters.entries()) tree.set(filter, filter, n % 3)
  for (const topic of topics) t.same([...tree.match(topic).keys()].sort(), filters.filter(filter => matches(filter, topic)).sort(), topic)
  tree.set('a/#', 'me', 1)
  tree.set('a/b', 'me', 0)
  t.equal(tree.match('a/b').get('me'), 1)
  tree.set('a/#', 'me', 0)
  t.equal(tree.match('a/b').get('me'), 0, 'set again, it is changed')
  for (const filter of filters) tree.delete(filter, filter)
  t.equal(tree.size, 2)
  tree.delete('a/#', 'me')
  tree.delete('a/b', 'me')
  tree.delete('a/b', 'nobody')
  t.equal(tree.size, 0)
  t.equal(tree.match('a/b').size, 0)
})

t.test('a tree of topics finds those that a filter matches', async t => {
  const tree = new TopicTree<string>()
  for (const topic of topics) tree.set(topic, topic)
  for (const filter of filters) t.same([...tree.match(filter)].sort(), topics.filter(topic => matches(filter, topic)).sort(), filter)
  for (const topic of topics.filter(topic => topic !== 'a/b')) tree.delete(topic)
  tree.delete('no/such')
  t.same([...tree.match('#')], ['a/b'])
  t.equal(tree.get('a/b'), 'a/b')
  t.equal(tree.get('a'), undefined)
})
