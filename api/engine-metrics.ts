// What Prometheus sees of the engine. Fed by commits and scrapes only: nothing is counted per command.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { CommitStats } from '../actors/lane-ports.ts'
import type { RunningEngine } from './compose.ts'
import type { MailboxNews } from './mailbox.ts'

export interface EngineMetrics {
  committed(slot: number, shard: number, stats: CommitStats): void
  quarantined(): void
  threadEnded(): void
  /** Of a mailbox outside of the process. */
  readonly mailbox: MailboxNews
  /** Gauges that are read when somebody asks. */
  watch(engine: RunningEngine): void
}

export function engineMetrics(registry: Registry): EngineMetrics {
  const registers = [registry]
  const labelNames = ['worker', 'shard'] as const
  const commands = new Counter({
    name: 'suanpan_commands_total',
    help: 'Commands decided and committed.',
    labelNames,
    registers,
  })
  const rows = new Counter({
    name: 'suanpan_journal_rows_total',
    help: 'Journal rows committed.',
    labelNames,
    registers,
  })
  const bytes = new Counter({
    name: 'suanpan_journal_bytes_total',
    help: 'Bytes of journal rows sent by COPY.',
    labelNames,
    registers,
  })
  const outcomes = new Counter({
    name: 'suanpan_outcomes_total',
    help: 'Committed decisions by code: posted, pending, a refusal, or replayed for the first answer again.',
    labelNames: ['code'],
    registers,
  })
  const batch = new Histogram({
    name: 'suanpan_batch_commands',
    help: 'Commands in one commit.',
    labelNames,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192],
    registers,
  })
  const commitTime = new Histogram({
    name: 'suanpan_commit_seconds',
    help: 'From the first byte of a commit to its durable end.',
    labelNames,
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30],
    registers,
  })
  const residents = new Gauge({
    name: 'suanpan_resident_accounts',
    help: 'Accounts and cells in memory.',
    labelNames,
    registers,
  })
  const idFilters = new Gauge({
    name: 'suanpan_id_filter_bytes',
    help: 'Memory of the filters that tell new ids from those of the past; ID_FILTER_MB_MAX bounds their sum in a worker.',
    labelNames,
    registers,
  })
  const idsLookedUp = new Counter({
    name: 'suanpan_ids_looked_up_total',
    help: 'Ids that the filters in memory could not exclude, so that the database was asked.',
    labelNames,
    registers,
  })
  const quarantined = new Counter({
    name: 'suanpan_quarantined_total',
    help: 'Commands given up after they failed twice.',
    registers,
  })
  const ended = new Counter({
    name: 'suanpan_worker_ends_total',
    help: 'Worker threads that ended and were replaced.',
    registers,
  })
  const appends = new Histogram({
    name: 'suanpan_mailbox_append_seconds',
    help: 'From the first byte of an append to Redis to its reply; one append takes all that came meanwhile.',
    buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 2],
    registers,
  })
  const frames = new Counter({
    name: 'suanpan_mailbox_frames_total',
    help: 'Frames appended to Redis.',
    registers,
  })
  const generations = new Counter({
    name: 'suanpan_mailbox_generations_total',
    help: 'Generations opened because Redis lost or may have lost commands, by reason.',
    labelNames: ['reason'],
    registers,
  })
  return {
    mailbox: {
      appended: (ms, count) => {
        appends.observe(ms / 1000)
        frames.inc(count)
      },
      generation: (_generation, reason) => generations.inc({ reason }),
    },
    committed: (slot, shard, stats) => {
      const labels = { worker: slot, shard }
      commands.inc(labels, stats.commands)
      rows.inc(labels, stats.rows)
      bytes.inc(labels, stats.bytes)
      batch.observe(labels, stats.commands)
      commitTime.observe(labels, stats.commitMs / 1000)
      residents.set(labels, stats.residents)
      idFilters.set(labels, stats.idFilterBytes)
      idsLookedUp.inc(labels, stats.idsLookedUp)
      for (const [code, count] of Object.entries(stats.outcomes)) outcomes.inc({ code }, count)
    },
    quarantined: () => quarantined.inc(),
    threadEnded: () => ended.inc(),
    watch: (engine) => {
      new Gauge({
        name: 'suanpan_queue_commands',
        help: 'Commands in the mailboxes: waiting or not yet committed.',
        registers,
        collect() {
          this.set(engine.queueDepth())
        },
      })
      const { redis } = engine
      if (redis !== undefined) watchRedis(redis, registers)
      new Gauge({
        name: 'suanpan_partitions_down',
        help: 'Partitions that nobody can post to now.',
        registers,
        collect() {
          this.set(engine.health().down.length)
        },
      })
      new Gauge({
        name: 'suanpan_partitions_history_lost',
        help: 'Partitions whose database lost what was committed: not hosted until people have looked.',
        registers,
        collect() {
          this.set(engine.health().historyLost.length)
        },
      })
      new Gauge({
        name: 'suanpan_unanswered_commands',
        help: 'Commands whose client still waits.',
        registers,
        collect() {
          this.set(engine.waiting())
        },
      })
      new Gauge({
        name: 'suanpan_ready',
        help: '1 when every partition is hosted and commands are taken.',
        registers,
        collect() {
          this.set(engine.ready() ? 1 : 0)
        },
      })
      new Gauge({
        name: 'suanpan_worker_utilization',
        help: 'Share of the time since the last scrape that the event loop of a worker was busy.',
        labelNames: ['worker'],
        registers,
        collect() {
          for (const { slot, share } of engine.utilizations()) this.set({ worker: slot }, share)
        },
      })
    },
  }
}

function watchRedis(redis: NonNullable<RunningEngine['redis']>, registers: Registry[]): void {
  let seen = 0
  new Counter({
    name: 'suanpan_redis_commands_total',
    help: 'Commands sent to Redis by all threads; divided by suanpan_commands_total: what a transaction costs it.',
    registers,
    collect() {
      const now = redis.calls()
      this.inc(now - seen)
      seen = now
    },
  })
  new Gauge({
    name: 'suanpan_mailbox_generation',
    help: 'Generation of the mailbox that commands are appended to now.',
    registers,
    collect() {
      this.set(redis.generation())
    },
  })
}
