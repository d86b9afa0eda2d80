import t from 'tap'
import { setImmediate as turn } from 'node:timers/promises'
import { Window } from '../../bridge/window.ts'

/** Tasks that end when they are told to. */
function createTasks (): { readonly begun: () => number, readonly begin: () => Promise<void>, readonly end: (n: number, error?: Error) => Promise<void> } {
  const ends: Array<(error?: Error) => void> = []
  return {
    begun: () => ends.length,
    begin: async () => await new Promise<void>((resolve, reject) => ends.push(error => error === undefined ? resolve() : reject(error))),
    end: async (n, error) => {
      ends[n]!(error)
      await turn()
    }
  }
}

t.test('it begins with one task, and takes one more after each that has ended, up to its size', async t => {
  const window = new Window(3)
  const tasks = createTasks()
  for (let n = 0; n < 9; n++) void window.enter(tasks.begin)
  await turn()
  t.equal(tasks.begun(), 1)
  await tasks.end(0)
  t.equal(tasks.begun(), 3, 'two at the same time')
  await tasks.end(1)
  t.equal(tasks.begun(), 5, 'three')
  await tasks.end(2)
  t.equal(tasks.begun(), 6, 'and no more')
  t.equal(window.inFlight, 3)
})

t.test('entering a full window waits', async t => {
  const window = new Window(1)
  const tasks = createTasks()
  await window.enter(tasks.begin)
  let entered = false
  const entering = window.enter(tasks.begin).then(() => { entered = true })
  await turn()
  t.equal(entered, false)
  await tasks.end(0)
  await entering
  t.equal(tasks.begun(), 2)
})

t.test('it is idle when every task has ended', async t => {
  const window = new Window(2)
  const tasks = createTasks()
  await window.idle()
  await window.enter(tasks.begin)
  let idle = false
  const waiting = window.idle().then(() => { idle = true })
  await turn()
  t.equal(idle, false)
  await tasks.end(0)
  await waiting
})

t.test('the error of a task reaches who enters next, or waits', async t => {
  const window = new Window(1)
  const tasks = createTasks()
  await window.enter(tasks.begin)
  const refused = t.rejects(window.idle(), { message: 'a bug' })
  await tasks.end(0, new Error('a bug'))
  await refused
  await window.enter(tasks.begin)
  await tasks.end(1, new Error('another'))
  await t.rejects(window.enter(tasks.begin), { message: 'another' })
})
