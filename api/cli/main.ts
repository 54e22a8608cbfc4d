#!/usr/bin/env -S node --max-semi-space-size=64
// The program `suanpan`. Only joins the process's streams, signals and exit code with `run.ts`.
import { run } from './run.ts'

// `suanpan post FILE | head`: the reader has seen enough. The command goes on, and its exit code says what became of it.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

process.exitCode = await run(process.argv.slice(2), process)
