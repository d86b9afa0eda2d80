import t from 'tap'
import { matches } from '../../broker/filter.ts'

t.test('a filter matches level by level, character by character [MQTT-4.7.1] [MQTT-4.7.3-4]', async t => {
  const matching = ['a a', '# a', '# a/b', '+ a', 'a/# a', 'a/# a/b/c', 'a/+ a/b', 'a/+ a/', '+/+ /a', '/+ /a', '+ ', 'a/+/c a/b/c', 'a//b a//b', '+/# a', '+/# /', '$SYS/# $SYS/a', '$SYS/+ $SYS/a', 'é/+ é/x', 'a/+/# a/b']
  const apart = ['a A', 'a a/b', 'a/b a', '+ a/b', '+ /a', 'a/+ a', 'a/+ a/b/c', 'a/# ab', 'a/# b', '# $SYS/a', '+/a $SYS/a', '+ $x', 'a/ a', '/a a', 'a//b a/b', 'a/+/# a']
  for (const pair of matching) t.ok(matches(...pair.split(' ') as [string, string]), pair)
  for (const pair of apart) t.notOk(matches(...pair.split(' ') as [string, string]), pair)
})
