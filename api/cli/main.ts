#!/usr/bin/env -S node --max-semi-space-size=64
// The program `suanpan`. Only joins the process's streams, signals and exit code with `run.ts`.
import { exitCodes } from './command.ts'
import { run } from './run.ts'

// `suanpan account X --entries | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(exitCodes.ok)
})

process.exitCode = await run(process.argv.slice(2), process)
