// What this way in costs: requests/s of `POST /v1/transactions` over an engine that answers at once, against a bare Fastify route of the
// same shape, in turns in processes of their own. `node --import tsx api/http/testing/overhead.ts [rounds] [seconds]`
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import Fastify from 'fastify'
import { acceptedBody } from './fake-engine.ts'
import { listen, start } from './start.ts'

const body = JSON.stringify({
  id: 'pay-20260301-000001',
  type: 'debit',
  account: 'cust-42:cash',
  amount: '12.34',
  channel: 'alipay',
  reference: 'order 4711',
})

async function bare(): Promise<number> {
  const app = Fastify()
  const answer: unknown = JSON.parse(
    acceptedBody({
      id: 'pay-20260301-000001',
      type: 'debit',
      account: 'cust-42:cash',
      amount: '12.34',
      to: 'house:settlement:alipay',
    }),
  )
  app.post('/v1/transactions', (_request, reply) => {
    setImmediate(() => void reply.code(201).send(answer))
  })
  return listen(app)
}

/** `PROFILE=1`: a CPU profile of each server in the present folder. */
const serverArgs = process.env.PROFILE === undefined ? [] : ['--cpu-prof']

const servers = { bare, suanpan: async () => listen((await start()).app) } as const
type Name = keyof typeof servers

interface Measured {
  readonly perSecond: number
  /** CPU time of the server process, all threads: steadier than the rate where the load shares its cores. */
  readonly cpuUs: number
}

async function measure(name: Name, seconds: number): Promise<Measured> {
  const child = fork(fileURLToPath(import.meta.url), ['serve', name], {
    execArgv: [...process.execArgv, ...serverArgs],
  })
  const [port] = (await once(child, 'message')) as [number]
  const options = {
    url: `http://127.0.0.1:${port}/v1/transactions`,
    method: 'POST' as const,
    headers: { 'content-type': 'application/json' },
    body,
    connections: 64,
  }
  const cpuUs = async (): Promise<number> => {
    child.send('cpu')
    const [used] = (await once(child, 'message')) as [number]
    return used
  }
  await autocannon({ ...options, duration: 2 })
  const before = await cpuUs()
  const result = await autocannon({ ...options, duration: seconds })
  const after = await cpuUs()
  child.kill('SIGTERM')
  await once(child, 'exit')
  if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx} wrong answers, ${result.errors} errors`)
  return {
    perSecond: result.requests.total / result.duration,
    cpuUs: (after - before) / result.requests.total,
  }
}

async function compare(rounds: number, seconds: number): Promise<void> {
  const rates: number[] = []
  const costs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const reference = await measure('bare', seconds)
    const ours = await measure('suanpan', seconds)
    rates.push(ours.perSecond / reference.perSecond)
    costs.push(reference.cpuUs / ours.cpuUs)
    console.log(
      `bare ${reference.perSecond.toFixed(0)}/s ${reference.cpuUs.toFixed(1)} us, suanpan ${ours.perSecond.toFixed(0)}/s ${ours.cpuUs.toFixed(1)} us`,
    )
  }
  console.log(`median ratio of rates ${median(rates).toFixed(2)}, of CPU time ${median(costs).toFixed(2)}`)
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const [first = '3', second = '4'] = process.argv.slice(2)
if (first === 'serve') {
  process.on('SIGTERM', () => process.exit(0))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
  process.send?.(await servers[second as Name]())
} else {
  await compare(Number(first), Number(second))
}
