// Single posts over kept-alive connections, with every way in which no answer comes.
import { Agent, request } from 'node:http'

/** What a client has in hand; `undefined` where no whole answer came. */
export interface HttpAnswer {
  readonly status: number
  readonly replayed: boolean
  readonly body: string
}

const answerMs = 20_000

export class HttpPosts {
  private readonly agent: Agent
  private readonly url: string

  constructor(url: string, sockets: number) {
    this.url = url
    this.agent = new Agent({ keepAlive: true, maxSockets: sockets })
  }

  post(path: string, json: string): Promise<HttpAnswer | undefined> {
    return this.send('POST', path, json)
  }

  put(path: string, json: string): Promise<HttpAnswer | undefined> {
    return this.send('PUT', path, json)
  }

  async get<T>(path: string): Promise<T> {
    const answer = await this.send('GET', path)
    if (answer?.status !== 200) throw new Error(`GET ${path}: ${answer?.status} ${answer?.body}`)
    return JSON.parse(answer.body) as T
  }

  /** Whatever its status. */
  async getAny(path: string): Promise<HttpAnswer> {
    const answer = await this.send('GET', path)
    if (answer === undefined) throw new Error(`GET ${path}: no answer`)
    return answer
  }

  close(): void {
    this.agent.destroy()
  }

  private send(method: string, path: string, json?: string): Promise<HttpAnswer | undefined> {
    return new Promise((resolve) => {
      const none = (): void => resolve(undefined)
      const headers = json === undefined ? {} : { 'content-type': 'application/json', 'content-length': json.length }
      const sent = request(
        this.url + path,
        { method, agent: this.agent, headers, signal: AbortSignal.timeout(answerMs) },
        (response) => {
          let body = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            body += chunk
          })
          response.on('error', none)
          response.on('close', none)
          response.on('end', () => {
            const replayed = response.headers['idempotent-replayed'] === 'true'
            if (response.complete) resolve({ status: response.statusCode ?? 0, replayed, body })
          })
        },
      )
      sent.on('error', none)
      sent.end(json)
    })
  }
}
