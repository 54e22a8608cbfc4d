// The id of a request: the client's own if it is sane, else a short one, unique across processes and restarts. In headers and logs only;
// no body ever depends on it.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const sane = /^[\x21-\x7e]{1,128}$/

/** 12 characters drawn once per process, then a counter. */
const processPrefix = randomBytes(9).toString('base64url')
let counter = 0

export const newRequestId = (): string => {
  counter += 1
  return `${processPrefix}-${counter.toString(36)}`
}

export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const sent = request.headers['x-request-id']
  return typeof sent === 'string' && sane.test(sent) ? sent : newRequestId()
}
