// Starting a part of the project as a process of its own: from the source with tsx, from its emitted copy without.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Arguments of node that run `source`, the URL of a `.ts` file, in the form that `importer`, the URL of the module that asks, has itself. */
export function programArgs(source: URL, importer: string): readonly string[] {
  const path = fileURLToPath(source)
  return importer.endsWith('.ts') ? ['--import', 'tsx', path] : [path.replace(/\.ts$/, '.js')]
}

/** The project's root, for sources and emitted copies alike: the nearest folder above that holds package.json. */
export function projectRoot(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}
