// A small result with every part that a report draws, for the tests of reports and comparisons.
import { type BenchResult, figure, resultFormat } from '../../measurement.ts'

export const sampleResult = (uniformRates: readonly number[]): BenchResult => ({
  format: resultFormat,
  startedAt: '2026-01-02T03:04:05.000Z',
  machine: { cpu: 'Some CPU', cores: 2, memoryGiB: 8, node: 'v20.0.0', commit: 'abc1234' },
  postgres: '18.4',
  durability: { fsync: 'on', synchronous_commit: 'on' },
  size: 'small',
  scenarios: [
    {
      scenario: 'engine',
      verified: ['verify clean: 10 rows'],
      notes: ['a note with <angle> & brackets'],
      seconds: 12,
      cases: [
        {
          name: 'uniform',
          setup: { accounts: 100_000, distribution: 'uniform' },
          figures: {
            'durable tx/s': figure('tx/s', uniformRates),
            'to raw COPY': figure('ratio', [0.85, 0.9, 0.8]),
            'CPU worker': figure('us/tx', [9, 10, 11]),
          },
        },
        { name: 'hot account', setup: { accounts: 1 }, figures: { 'to uniform': figure('ratio', [0.7, 0.75]) } },
      ],
    },
    {
      scenario: 'peers',
      verified: ['row lock: 10 debits'],
      notes: [],
      seconds: 30,
      cases: [
        {
          name: 'suanpan, hot',
          setup: {},
          figures: { 'durable tx/s': figure('tx/s', [9000, 9500]), 'to uniform': figure('ratio', [1.1]) },
        },
        {
          name: 'row lock, hot',
          setup: {},
          figures: { 'durable tx/s': figure('tx/s', [900, 950]), 'ahead of it': figure('ratio', [10]) },
        },
      ],
    },
    {
      scenario: 'latency',
      verified: ['verify clean'],
      notes: [],
      seconds: 20,
      cases: [{ name: 'idle', setup: { connections: 1 }, figures: { 'p50 ms': figure('ms', [1.5]) } }],
      series: [
        {
          name: '10 % of the top rate',
          x: 'percentile',
          y: 'ms',
          points: [
            [50, 1],
            [99, 4],
            [99.9, 9],
          ],
        },
        {
          name: '50 % of the top rate',
          x: 'percentile',
          y: 'ms',
          points: [
            [50, 2],
            [99, 8],
            [99.9, 30],
          ],
        },
      ],
    },
    {
      scenario: 'scale',
      verified: ['verify clean'],
      notes: [],
      seconds: 20,
      cases: [],
      series: [
        {
          name: 'by accounts',
          x: 'accounts',
          y: 'durable tx/s',
          points: [
            [1000, 90_000],
            [1_000_000, 80_000],
          ],
        },
      ],
    },
  ],
})
