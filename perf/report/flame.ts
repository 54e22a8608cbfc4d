// Flame graphs (Gregg 2011) as one SVG file without scripts: the width of a box is the time in a function and all that it called, callers below,
// callees above. Pure.
import { escaped, shown } from './chart.ts'

/** Where the time of one call path went. `frames`: callers first. */
export interface Stack {
  readonly frames: readonly Frame[]
  readonly micros: number
}

export interface Frame {
  readonly name: string
  /** File and line, package or library; what the colour and the tooltip say. */
  readonly where: string
}

interface Box {
  readonly frame: Frame
  micros: number
  readonly callees: Map<string, Box>
}

const width = 1200
const rowHeight = 17
const titleHeight = 30
const margin = 10
/** Narrower boxes cannot be seen; they would be most of the file. */
const leastPixels = 0.7
const characterPixels = 6.6

/** Colours by where a function is from, the first that matches. */
const origins: readonly { readonly name: string; readonly colour: string; readonly of: RegExp }[] = [
  { name: 'core', colour: '#f2a65a', of: /^core\// },
  { name: 'actors', colour: '#e8743b', of: /^actors\// },
  { name: 'adapters', colour: '#d9534f', of: /^adapters\// },
  { name: 'api', colour: '#c27ba0', of: /^api\// },
  { name: 'schemas', colour: '#e6c35c', of: /^schemas\// },
  { name: 'node', colour: '#7fb77e', of: /^node:/ },
  { name: 'postgres', colour: '#6fa8dc', of: /^(postgres|plpgsql\.so)$/ },
  { name: 'kernel', colour: '#a4c2f4', of: /^kernel$/ },
  { name: 'packages', colour: '#9fc5a8', of: /^[@a-z](?!.*\.so)[^:]*$/ },
]
const native = { name: 'V8 and libraries', colour: '#b7b7b7' }

export function flameGraph(title: string, stacks: readonly Stack[]): string {
  const root = treeOf(stacks)
  const depth = Math.max(1, shownDepth(root, pixelsPerMicro(root)))
  const height = titleHeight + depth * rowHeight + 2 * margin + 20
  const boxes: string[] = []
  draw(root, 0, margin, height - margin - 20 - rowHeight, pixelsPerMicro(root), root.micros, boxes)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, monospace" font-size="11">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${margin}" y="20" font-size="15">${escaped(title)}</text>
${boxes.join('\n')}
${legend(height - margin - 6)}
</svg>
`
}

function treeOf(stacks: readonly Stack[]): Box {
  const root: Box = { frame: { name: 'all', where: '' }, micros: 0, callees: new Map() }
  for (const { frames, micros } of stacks) {
    root.micros += micros
    let box = root
    for (const frame of frames) {
      const key = `${frame.name} ${frame.where}`
      let callee = box.callees.get(key)
      if (callee === undefined) {
        callee = { frame, micros: 0, callees: new Map() }
        box.callees.set(key, callee)
      }
      callee.micros += micros
      box = callee
    }
  }
  return root
}

const pixelsPerMicro = ({ micros }: Box): number => (width - 2 * margin) / Math.max(1, micros)

function shownDepth(box: Box, scale: number): number {
  if (box.micros * scale < leastPixels) return 0
  return 1 + Math.max(0, ...[...box.callees.values()].map((callee) => shownDepth(callee, scale)))
}

function draw(box: Box, depth: number, x: number, bottom: number, scale: number, all: number, into: string[]): void {
  const pixels = box.micros * scale
  if (pixels < leastPixels) return
  const { name, where } = box.frame
  const y = bottom - depth * rowHeight
  const share = shown((box.micros * 100) / Math.max(1, all))
  const fits = Math.floor((pixels - 4) / characterPixels)
  const text = fits < 3 ? '' : name.length <= fits ? name : `${name.slice(0, fits - 1)}…`
  into.push(
    `<g><title>${escaped(`${name} ${where}`.trim())}: ${share} %</title><rect x="${fixed(x)}" y="${y}" width="${fixed(pixels)}" height="${rowHeight - 1}" rx="1.5" fill="${colourOf(where)}"/>${
      text === '' ? '' : `<text x="${fixed(x + 2)}" y="${y + 12}">${escaped(text)}</text>`
    }</g>`,
  )
  // By name, as is usual: the same function is at the same side of its caller in two graphs.
  const callees = [...box.callees.values()].sort((a, b) => (a.frame.name < b.frame.name ? -1 : 1))
  let at = x
  for (const callee of callees) {
    draw(callee, depth + 1, at, bottom, scale, all, into)
    at += callee.micros * scale
  }
}

const colourOf = (where: string): string => (origins.find(({ of }) => of.test(where)) ?? native).colour

const legend = (y: number): string =>
  [...origins, native]
    .map(
      ({ name, colour }, i) =>
        `<rect x="${margin + i * 118}" y="${y - 10}" width="10" height="10" fill="${colour}"/><text x="${margin + i * 118 + 14}" y="${y - 1}">${name}</text>`,
    )
    .join('')

const fixed = (value: number): string => value.toFixed(1)
