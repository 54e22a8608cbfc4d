// The HTTP metrics. A request counts from its headers to the close of its answer, whoever ends it; labels are route patterns, never paths.
import type { ServerResponse } from 'node:http'
import { Counter, Gauge, type Registry } from 'prom-client'
import { DurationHistogram, RouteDurations } from './durations.ts'

export interface HttpMetrics {
  /** One for each route, made when the route is; `start` at its every request. */
  route(method: string, route: string): RouteMeter
  /** An item of a batch by the status that it would have had alone. */
  batchItem(http: number): void
}

interface RouteMeter {
  start(response: ServerResponse, requestId: string): void
}

/** Told of every request that is over. Hot. */
export type OnOver = (route: string, requestId: string, status: number, tookMs: number) => void

export function httpMetrics(registry: Registry, onOver: OnOver): HttpMetrics {
  const meters: Meter[] = []
  const registers = [registry]
  new Counter({
    name: 'suanpan_http_requests_total',
    help: 'Requests by route, method and status; status 0: the client left before it was answered.',
    labelNames: ['method', 'route', 'status'],
    registers,
    // Counted in plain arrays and told on scraping: labelled `inc` costs a hash of its labels at each request.
    collect() {
      this.reset()
      for (const { method, route, counts } of meters) {
        for (const [status, count] of counts) this.inc({ method, route, status }, count)
      }
    },
  })
  new Gauge({
    name: 'suanpan_http_requests_in_flight',
    help: 'Requests whose answer is not finished.',
    registers,
    collect() {
      this.set(meters.reduce((sum, meter) => sum + meter.open, 0))
    },
  })
  const durations: RouteDurations[] = []
  new DurationHistogram(
    'suanpan_http_request_duration_seconds',
    'From the headers of a request to the end of its answer.',
    durations,
    registers,
  )
  const items = new Map<number, number>()
  new Counter({
    name: 'suanpan_http_batch_items_total',
    help: 'Items of batches by the status that each would have had alone.',
    labelNames: ['status'],
    registers,
    collect() {
      this.reset()
      for (const [status, count] of items) this.inc({ status }, count)
    },
  })
  return {
    route(method, route) {
      const took = new RouteDurations(method, route)
      durations.push(took)
      const meter = new Meter(method, route, took, onOver)
      meters.push(meter)
      return meter
    },
    batchItem: (http) => {
      items.set(http, (items.get(http) ?? 0) + 1)
    },
  }
}

const meterKey = Symbol('meter')
const startedKey = Symbol('started')
const requestIdKey = Symbol('request id')
type Metered = ServerResponse & { [meterKey]: Meter; [startedKey]: number; [requestIdKey]: string }

class Meter implements RouteMeter {
  readonly method: string
  readonly route: string
  readonly counts = new Map<number, number>()
  open = 0
  private readonly durations: RouteDurations
  private readonly onOver: OnOver

  constructor(method: string, route: string, durations: RouteDurations, onOver: OnOver) {
    this.method = method
    this.route = route
    this.durations = durations
    this.onOver = onOver
  }

  start(response: ServerResponse, requestId: string): void {
    const metered = response as Metered
    metered[meterKey] = this
    metered[startedKey] = performance.now()
    metered[requestIdKey] = requestId
    this.open += 1
    metered.on('close', closed)
  }

  end(response: Metered): void {
    this.open -= 1
    const status = response.headersSent ? response.statusCode : 0
    this.counts.set(status, (this.counts.get(status) ?? 0) + 1)
    const tookMs = performance.now() - response[startedKey]
    this.durations.observe(tookMs)
    this.onOver(this.route, response[requestIdKey], status, tookMs)
  }
}

/** One listener for all responses: no closure a request. */
function closed(this: Metered): void {
  this[meterKey].end(this)
}
