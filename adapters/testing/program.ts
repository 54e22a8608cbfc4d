// Starting a part of the project as a process of its own: from the source with tsx, from its emitted copy without.
import { fileURLToPath } from 'node:url'

/** Arguments of node that run `source`, the URL of a `.ts` file, in the form that `importer`, the URL of the module that asks, has itself. */
export function programArgs(source: URL, importer: string): readonly string[] {
  const path = fileURLToPath(source)
  return importer.endsWith('.ts') ? ['--import', 'tsx', path] : [path.replace(/\.ts$/, '.js')]
}
