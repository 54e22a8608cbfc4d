import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram, Registry } from 'prom-client'
import { DurationHistogram, RouteDurations } from './durations.ts'

test('durations are told as prom-client tells its own histogram', async () => {
  const name = 'took_seconds'
  const ours = new Registry()
  const theirs = new Registry()
  const route = new RouteDurations('GET', '/v1/x')
  new DurationHistogram(name, 'How long.', [new RouteDurations('GET', '/never/asked'), route], [ours])
  const buckets = [0.001, 0.002, 0.003, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
  const reference = new Histogram({
    name,
    help: 'How long.',
    labelNames: ['method', 'route'],
    buckets,
    registers: [theirs],
  })
  for (const ms of [0.25, 1, 1.5, 2, 8, 15.5, 64, 10_000, 20_000]) {
    route.observe(ms)
    reference.observe({ method: 'GET', route: '/v1/x' }, ms / 1000)
  }
  assert.equal(await ours.metrics(), await theirs.metrics())
})
