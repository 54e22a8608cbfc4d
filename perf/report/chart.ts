// Charts as inline SVG: bars with their spread, and lines. Colours are CSS variables of the page, so that one drawing serves light and dark. Pure.
import type { Series } from '../measurement.ts'
import type { Spread } from '../statistics.ts'

export interface Bar extends Spread {
  readonly label: string
  /** Index of the colour; bars of one kind share it. */
  readonly kind: number
}

const width = 760
const labelWidth = 250
const barHeight = 22
const gap = 6
const axisHeight = 26

/** Horizontal bars from 0; a whisker from the lowest to the highest round. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  if (bars.length === 0) return ''
  const most = niceCeiling(Math.max(...bars.map(({ max }) => max)))
  const height = bars.length * (barHeight + gap) + axisHeight
  const valueWidth = 90
  const scale = (value: number): number => labelWidth + (value / most) * (width - labelWidth - valueWidth)
  const rows = bars.map(({ label, kind, median, min, max }, i) => {
    const y = i * (barHeight + gap)
    const middle = y + barHeight / 2
    const end = Math.max(scale(median), scale(max))
    return `<text class="label" x="${labelWidth - 8}" y="${middle}" text-anchor="end">${escaped(label)}</text>
<rect class="k${kind}" x="${labelWidth}" y="${y}" width="${fixed(scale(median) - labelWidth)}" height="${barHeight}" rx="2"><title>${escaped(label)}: ${shown(median)} ${escaped(unit)} (${shown(min)} to ${shown(max)})</title></rect>
<path class="whisker" d="M${fixed(scale(min))} ${middle}H${fixed(scale(max))}M${fixed(scale(min))} ${middle - 4}v8M${fixed(scale(max))} ${middle - 4}v8"/>
<text class="value" x="${fixed(end + 6)}" y="${middle}">${shown(median)}</text>`
  })
  const bottom = height - axisHeight
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const x = fixed(scale(most * share))
    return `<path class="grid" d="M${x} 0V${bottom}"/><text class="tick" x="${x}" y="${bottom + 16}" text-anchor="middle">${shown(most * share)}</text>`
  })
  return frame(title, unit, height, [...ticks, ...rows])
}

export interface LineOptions {
  readonly logX?: boolean
  /** x is a percentile: each nine more is as far as the one before. */
  readonly nines?: boolean
  readonly logY?: boolean
  /** Where not every point is a tick. */
  readonly ticksX?: readonly number[]
}

const plot = { left: 70, top: 8, right: 200, height: 300 }

export function lineChart(title: string, series: readonly Series[], options: LineOptions = {}): string {
  const points = series.flatMap((one) => one.points)
  const [first] = series
  if (first === undefined || points.length === 0) return ''
  const xs = points.map(([x]) => x)
  const ys = points.map(([, y]) => y)
  const scaled = options.nines === true ? nines : (value: number): number => value
  const along = axis(scaled(Math.min(...xs)), scaled(Math.max(...xs)), options.logX ?? false)
  const x = (value: number): number => along(scaled(value))
  const y = axis(options.logY === true ? Math.min(...ys) : 0, niceCeiling(Math.max(...ys)), options.logY ?? false)
  const left = (value: number): number => plot.left + x(value) * (width - plot.left - plot.right)
  const top = (value: number): number => plot.top + (1 - y(value)) * plot.height
  const bottom = plot.top + plot.height
  const ticksX = options.ticksX ?? [...new Set(xs)].sort((a, b) => a - b)
  const ticksY =
    options.logY === true
      ? decades(Math.min(...ys), Math.max(...ys))
      : [0, 0.25, 0.5, 0.75, 1].map((share) => niceCeiling(Math.max(...ys)) * share)
  const gridY = ticksY.map(
    (value) =>
      `<path class="grid" d="M${plot.left} ${fixed(top(value))}H${width - plot.right}"/><text class="tick" x="${plot.left - 8}" y="${fixed(top(value))}" text-anchor="end">${shown(value)}</text>`,
  )
  const gridX = ticksX.map(
    (value) =>
      `<text class="tick" x="${fixed(left(value))}" y="${bottom + 18}" text-anchor="middle">${shown(value)}</text>`,
  )
  const labels = spaced(series.map((one) => top(one.points.at(-1)?.[1] ?? 0)))
  const lines = series.map((one, i) => {
    const path = one.points.map(([px, py], n) => `${n === 0 ? 'M' : 'L'}${fixed(left(px))} ${fixed(top(py))}`).join('')
    const dots = one.points.map(
      ([px, py]) =>
        `<circle class="k${i}" cx="${fixed(left(px))}" cy="${fixed(top(py))}" r="3"><title>${escaped(one.name)}, ${shown(px)}: ${shown(py)} ${escaped(one.y)}</title></circle>`,
    )
    const lastX = left(one.points.at(-1)?.[0] ?? 0)
    return `<path class="line k${i}" d="${path}"/>${dots.join('')}<text class="value" x="${fixed(lastX + 10)}" y="${fixed(labels[i] ?? 0)}">${escaped(one.name)}</text>`
  })
  const xName = `<text class="tick" x="${width - plot.right}" y="${bottom + 34}" text-anchor="end">${escaped(first.x)}</text>`
  return frame(title, first.y, bottom + 40, [...gridY, ...gridX, xName, ...lines])
}

const nines = (percentile: number): number => -Math.log10(1 - percentile / 100)

function axis(low: number, high: number, log: boolean): (value: number) => number {
  if (!log) return (value) => (high === low ? 0.5 : (value - low) / (high - low))
  // A journal of 0 rows has a place on a logarithmic axis too: one step to the left of the smallest.
  const floor = Math.log10(Math.max(low, 1e-3))
  const span = Math.log10(Math.max(high, 1e-3)) - floor || 1
  return (value) => Math.max(0, (Math.log10(Math.max(value, 1e-3)) - floor) / span)
}

/** Labels at the ends of lines, at least a line of text apart, in the order of their heights. */
export function spaced(heights: readonly number[], least = 15): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => (heights[a] ?? 0) - (heights[b] ?? 0))
  const placed = [...heights]
  let last = Number.NEGATIVE_INFINITY
  for (const i of order) {
    last = Math.max(heights[i] ?? 0, last + least)
    placed[i] = last
  }
  return placed
}

function decades(low: number, high: number): number[] {
  const from = Math.floor(Math.log10(Math.max(low, 1e-3)))
  const to = Math.ceil(Math.log10(Math.max(high, 1e-3)))
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i)).filter(
    (value) => value >= low && value <= high,
  )
}

/** The next of 1, 1.2, 1.6 .. 8, 10 times a power of ten: quarters of it are short numbers. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].find((times) => value <= times * power * 1.000_001) ?? 10
  return step * power
}

export function shown(value: number): string {
  if (value >= 1e6) return `${trimmed(value / 1e6)}M`
  if (value >= 1e4) return `${trimmed(value / 1e3)}k`
  return trimmed(value)
}

const trimmed = (value: number): string => String(Number(value.toPrecision(3)))
const fixed = (value: number): string => String(Math.round(value * 10) / 10)

const frame = (title: string, unit: string, height: number, parts: readonly string[]): string =>
  `<figure><figcaption>${escaped(title)} <span>${escaped(unit)}</span></figcaption><svg viewBox="0 0 ${width} ${Math.ceil(height)}" role="img" aria-label="${escaped(title)}">${parts.join('\n')}</svg></figure>`

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
