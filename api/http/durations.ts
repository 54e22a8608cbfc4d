// How long requests took, by route, as a Prometheus histogram. `observe` of prom-client checks and hashes its labels each time (2 us a
// request here); so each route counts into an array of its own, and the histogram reads them when it is scraped.
import { Histogram, type Registry } from 'prom-client'

/** Around the budget: p50 < 3 ms idle, p95 < 15 ms, the user's bar at 50 ms, the deadline at 10 s. */
const boundsMs = [1, 2, 3, 5, 10, 15, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

export class RouteDurations {
  readonly method: string
  readonly route: string
  /** Not yet summed up; the last is above all bounds. */
  readonly counts = new Array<number>(boundsMs.length + 1).fill(0)
  sumMs = 0

  constructor(method: string, route: string) {
    this.method = method
    this.route = route
  }

  observe(ms: number): void {
    let at = 0
    while (at < boundsMs.length && ms > (boundsMs[at] ?? 0)) at++
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.sumMs += ms
  }
}

type Told = Awaited<ReturnType<Histogram<string>['get']>>

export class DurationHistogram extends Histogram<string> {
  private readonly told: Pick<Told, 'name' | 'help'>
  private readonly routes: readonly RouteDurations[]

  /** `routes` may grow. */
  constructor(name: string, help: string, routes: readonly RouteDurations[], registers: Registry[]) {
    super({ name, help, labelNames: ['method', 'route'], registers })
    this.told = { name, help }
    this.routes = routes
  }

  override async get(): Promise<Told> {
    const values = this.routes.flatMap((route) => this.valuesOf(route))
    return { ...this.told, type: 'histogram', aggregator: 'sum', values } as unknown as Told
  }

  /** What the registry asks for its text, if it is there. */
  getForPromString(): Promise<Told> {
    return this.get()
  }

  private valuesOf({ method, route, counts, sumMs }: RouteDurations): object[] {
    const { name } = this.told
    let count = 0
    const buckets = counts.map((here, at) => {
      count += here
      const bound = boundsMs[at]
      const le = bound === undefined ? '+Inf' : bound / 1000
      return { metricName: `${name}_bucket`, labels: { le, method, route }, value: count }
    })
    if (count === 0) return []
    const labels = { method, route }
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sumMs / 1000 },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}
