/** One curve in a panel of its own; all panels of a plot share the x axis. */
export interface Panel {
  readonly label: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

const width = 900
const panelHeight = 120
const left = 90
const right = 20
const top = 50
const gap = 36

/** Draws panels one below the other, as the text of an SVG file. Points that are not finite are left out. */
export function plot (title: string, xLabel: string, panels: readonly Panel[]): string {
  const xs = panels.flatMap(({ points }) => points.map(([x]) => x)).filter(Number.isFinite)
  const [from, to] = rangeOf(xs)
  const height = top + panels.length * (panelHeight + gap) + 10
  const drawn = panels.map((panel, n) => drawPanel(panel, from, to, top + n * (panelHeight + gap)))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="22" font-size="15">${escaped(title)}</text>
${drawn.join('\n')}
<text x="${width - right}" y="${height - 6}" text-anchor="end">${escaped(xLabel)}, ${number(from)} to ${number(to)}</text>
</svg>
`
}

function drawPanel ({ label, points }: Panel, from: number, to: number, y0: number): string {
  const shown = points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
  const most = Math.max(0, ...shown.map(([, y]) => y)) || 1 // from 0 on: what is flat looks flat
  const least = Math.min(0, ...shown.map(([, y]) => y))
  const at = ([x, y]: readonly [number, number]): string => {
    const across = left + (x - from) / (to - from) * (width - left - right)
    const down = y0 + panelHeight - (y - least) / (most - least) * panelHeight
    return `${across.toFixed(1)},${down.toFixed(1)}`
  }
  return `<text x="${left}" y="${y0 - 6}">${escaped(label)}</text>
<rect x="${left}" y="${y0}" width="${width - left - right}" height="${panelHeight}" fill="none" stroke="#bbb"/>
<text x="${left - 6}" y="${y0 + 10}" text-anchor="end">${number(most)}</text>
<text x="${left - 6}" y="${y0 + panelHeight}" text-anchor="end">${number(least)}</text>
<polyline fill="none" stroke="#06c" points="${shown.map(at).join(' ')}"/>`
}

/** Least and greatest; a range that is never empty. */
function rangeOf (values: readonly number[]): readonly [number, number] {
  let [least, most] = [Infinity, -Infinity]
  for (const value of values) {
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  if (least > most) return [0, 1]
  return least === most ? [least, least + 1] : [least, most]
}

function number (value: number): string {
  return Number(value.toPrecision(4)).toLocaleString('en', { maximumFractionDigits: 3 })
}

function escaped (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** How fast y grows with x, by least squares; NaN for less than two different x. */
export function slope (points: ReadonlyArray<readonly [x: number, y: number]>): number {
  const meanOf = (pick: 0 | 1): number => points.reduce((sum, point) => sum + point[pick], 0) / points.length
  const [meanX, meanY] = [meanOf(0), meanOf(1)]
  let [above, below] = [0, 0]
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY)
    below += (x - meanX) ** 2
  }
  return above / below
}
