import t from 'tap'
import { reportLines, textLine } from '../../cli/rejections.ts'

const at = Date.parse('2026-03-01T12:00:00Z')
const rejection = { n: 1, at, clientId: 'pi-attic', address: '10.0.0.7', rule: 'keepalive', clause: 'MQTT-3.1.2-24', detail: 'nothing came for long' }

t.test('a rejection is one line: when, who, from where, why, the rule and its clause', async t => {
  t.equal(textLine(rejection), '2026-03-01T12:00:00.000Z  pi-attic from 10.0.0.7: nothing came for long (keepalive, MQTT-3.1.2-24)')
  t.equal(textLine({ ...rejection, clientId: null, clause: null }), '2026-03-01T12:00:00.000Z  a client without id from 10.0.0.7: nothing came for long (keepalive)')
  t.equal(textLine({ ...rejection, detail: 'nothing came [MQTT-3.1.2-24]', address: '' }), '2026-03-01T12:00:00.000Z  pi-attic: nothing came [MQTT-3.1.2-24] (keepalive)', 'a clause is not said twice')
})

t.test('a client id cannot steer the terminal', async t => {
  t.match(textLine({ ...rejection, clientId: 'a\u001b[2Jb' }), /a\\x1b\[2Jb from/)
})

t.test('behind the lines stand the sums by rule, the greatest first; not when more follows', async t => {
  const answer = { startedAt: at, counts: { keepalive: 1, packetSize: 12 }, rejections: [rejection] }
  t.equal([...reportLines(answer, false)].at(-1), 'since 2026-03-01T12:00:00.000Z: packetSize 12, keepalive 1')
  t.equal([...reportLines(answer, true)].length, 1)
  t.same([...reportLines({ startedAt: at, counts: {}, rejections: [] }, false)], ['nothing was refused since 2026-03-01T12:00:00.000Z'])
})
