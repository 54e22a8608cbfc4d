// The server that a drill runs: `suanpan serve`, but for commands that make its worker threads fail once. The server that is shipped knows no
// such commands.
import { serve } from '../serve.ts'

/** As a module of its own, because it runs in the worker threads. "Once" is remembered over threads by a file. */
const sabotage = `data:text/javascript,${encodeURIComponent(`
  import { existsSync, writeFileSync } from 'node:fs'
  export function beforeDecide({ command: { id } }) {
    if (!id.startsWith('drill.')) return
    const file = process.env.DRILL_DIR + '/' + id
    if (existsSync(file)) return
    writeFileSync(file, '')
    if (id.startsWith('drill.exit.')) process.exit(3)
    for (;;);
  }`)}`

await serve(process.env, { standby: process.argv.includes('--standby'), sabotage })
