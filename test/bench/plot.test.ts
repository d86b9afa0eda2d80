import t from 'tap'
import { plot, slope } from '../../bench/plot.ts'

t.test('each panel has its curve, and every coordinate lies within the drawing', async t => {
  const svg = plot('a < b', 'minutes', [
    { label: 'rising', points: [[0, 1], [1, 2], [2, 4]] },
    { label: 'zero all the time', points: [[0, 0], [2, 0]] },
    { label: 'with a hole', points: [[0, 5], [1, Number.NaN], [2, 5]] },
    { label: 'none', points: [] }
  ])
  const curves = Array.from(svg.matchAll(/<polyline [^>]*points="([^"]*)"/g), ([, points]) => points!.split(' ').filter(text => text !== '').map(point => point.split(',').map(Number)))
  t.same(curves.map(({ length }) => length), [3, 2, 2, 0])
  const [, , width, height] = /viewBox="(\S+) (\S+) (\S+) (\S+)"/.exec(svg)!.slice(1).map(Number)
  for (const [x, y] of curves.flat()) t.ok(x! >= 0 && x! <= width! && y! >= 0 && y! <= height!, `${x},${y}`)
  t.match(svg, 'a &lt; b')
  t.notMatch(svg, /NaN|Infinity/)
})

t.test('a single point, and none at all, can be drawn', async t => {
  t.notMatch(plot('', '', [{ label: '', points: [[3, 3]] }]), /NaN|Infinity/)
  t.notMatch(plot('', '', []), /NaN|Infinity/)
})

t.test('the slope is that of the line of least squares', async t => {
  t.equal(slope([[0, 1], [1, 3], [2, 5]]), 2)
  t.equal(slope([[0, 1], [1, 0], [2, 1]]), 0)
  t.ok(Number.isNaN(slope([[1, 1]])))
})
