import { CommanderError } from 'commander'
import t from 'tap'
import { exitCodeOf, sentenceOf } from '../../cli/errors.ts'
import { IsobarError } from '../../lib/errors.ts'

t.test('an error of isobar is one line: what is wrong, its code, what to do', async t => {
  const sentence = sentenceOf(new IsobarError('ISO_DATA_LOCKED', { detail: '/data (pid 42)' }))
  t.equal(sentence, 'another gateway uses this data folder: /data (pid 42) [ISO_DATA_LOCKED]. Stop the other gateway, or give this one a folder of its own with ISOBAR_DATA.')
})

t.test('an error that nobody foresaw keeps its code and shows where it happened', async t => {
  const sentence = sentenceOf(Object.assign(new Error('it broke'), { code: 'EWEIRD' }))
  t.match(sentence, /^it broke \[EWEIRD\]\. Nobody foresaw/)
  t.match(sentence, /errors\.test\.ts/)
})

t.test('several errors at once are all named, though the outer one is empty', async t => {
  t.match(sentenceOf(new AggregateError([new Error('first'), new Error('second')])), /^first; second\./)
})

t.test('an error cannot steer the terminal, and only its indented lines follow the first', async t => {
  const sentence = sentenceOf(new IsobarError('ISO_SQL_REFUSED', { detail: 'a\u001b[2J\nisobar: all is well' }))
  t.match(sentence, 'a\\x1b[2J')
  t.notMatch(sentence, /^isobar/m)
})

t.test('what was thrown need not be an error', async t => {
  t.match(sentenceOf('a text'), /^a text\./)
})

t.test('usage ends with 2, help with 0, everything else with 1', async t => {
  t.equal(exitCodeOf(new CommanderError(1, 'commander.unknownOption', '')), 2)
  t.equal(exitCodeOf(new IsobarError('ISO_CLI_USAGE')), 2)
  t.equal(exitCodeOf(new CommanderError(0, 'commander.helpDisplayed', '')), 0)
  t.equal(exitCodeOf(new IsobarError('ISO_DATA_LOCKED')), 1)
  t.equal(exitCodeOf(new Error('x')), 1)
})
