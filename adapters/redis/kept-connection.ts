// The one connection of a writer: opened when it is needed, dropped at the first doubt, and a note of how long the server has been away.
import {
  type ConnectOptions,
  connectRedis,
  cut,
  movedTo,
  type RedisConnection,
  type RedisNode,
  type RedisServer,
} from './connection.ts'

export interface ConnectionNews {
  /** It was lost, or could not be opened: told once until it is back. */
  lost(why: string): void
  back(): void
  /** It is away for longer than a moment. */
  away(why: string): void
  /** It ended by itself: whoever needs it opens another. */
  ended(): void
}

/** So long a server may be away before anybody is told. */
const awayMs = 2000

export class KeptConnection {
  current: RedisConnection | undefined
  /** Connections opened: the number of the present one. */
  opened = 0
  private readonly url: string
  private readonly options: Omit<ConnectOptions, 'node'>
  private readonly news: ConnectionNews
  /** Where a cluster says that the slot is; undefined: at the URL. */
  node: RedisNode | undefined
  private awaySince: number | undefined
  private toldAway = false
  private closed = false

  constructor(url: string, options: Omit<ConnectOptions, 'node'>, news: ConnectionNews) {
    this.url = url
    this.options = options
    this.news = news
  }

  get server(): RedisServer | undefined {
    return this.current?.server
  }

  /** The present one, or a new one. Throws a fault. */
  async open(): Promise<RedisConnection> {
    if (this.current !== undefined) return this.current
    const connection = await connectRedis(this.url, { ...this.options, node: this.node })
    this.opened++
    if (this.closed) {
      cut(connection.redis)
      return connection
    }
    this.current = connection
    connection.redis.once('close', () => {
      if (this.current !== connection || this.closed) return
      this.drop('the connection ended')
      this.news.ended()
    })
    if (this.awaySince !== undefined) this.news.back()
    this.awaySince = undefined
    this.toldAway = false
    return connection
  }

  /** Not to be trusted any more. The next is opened where a cluster says that the slot is, if `why` says so, else at the URL. */
  drop(why: string): void {
    this.node = movedTo(why)
    this.cut()
    this.current = undefined
    if (this.closed || this.node !== undefined) return
    const now = performance.now()
    if (this.awaySince === undefined) {
      this.awaySince = now
      this.news.lost(why)
    } else if (!this.toldAway && now - this.awaySince > awayMs) {
      this.toldAway = true
      this.news.away(why)
    }
  }

  close(): void {
    this.closed = true
    this.cut()
  }

  private cut(): void {
    if (this.current !== undefined) cut(this.current.redis)
  }
}
