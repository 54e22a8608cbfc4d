import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { assertProblem } from './testing/problems.ts'
import { start } from './testing/start.ts'

const { app, engine, reads } = await start()
after(() => app.close())

test('it is alive whatever happens, and ready when engine and databases are', async () => {
  const health = async (): Promise<string> => (await app.inject('/healthz')).body
  assert.equal((await app.inject('/readyz')).body, '{"status":"ok"}')
  engine.isReady = false
  assertProblem(await app.inject('/readyz'), 'not_ready')
  assert.equal(await health(), '{"status":"ok"}')
  engine.isReady = true
  engine.trouble = 'Redis cannot be reached.'
  assertProblem(await app.inject('/readyz'), 'not_ready')
  engine.trouble = undefined
  reads.pinged = () => Promise.reject(new Error('down'))
  assertProblem(await app.inject('/readyz'), 'not_ready')
  reads.pinged = () => new Promise(() => {})
  const started = performance.now()
  assertProblem(await app.inject('/readyz'), 'not_ready')
  const tookMs = performance.now() - started
  assert.ok(tookMs > 900 && tookMs < 3_000, `${tookMs} ms`)
  assert.equal(await health(), '{"status":"ok"}')
  reads.pinged = async () => {}
  assert.equal((await app.inject('/readyz')).statusCode, 200)
})

test('heads', async () => {
  assert.equal(
    (await app.inject('/v1/heads')).body,
    `{"heads":[{"partition":0,"pseq":7,"chain":"${'ab'.repeat(32)}","at":"2026-03-01T12:00:00.000Z"}]}`,
  )
})

test('metrics count by route pattern and status, and tell what is in flight', async () => {
  await app.inject('/v1/accounts/c:cash')
  await app.inject('/v1/accounts/c:other')
  await app.inject('/nowhere')
  await app.inject({
    method: 'POST',
    url: '/v1/transactions/batch',
    headers: { 'content-type': 'application/json' },
    payload: '[{"id":"a","type":"debit","account":"c:cash","amount":"1"},{},{}]',
  })
  const { body, headers } = await app.inject('/metrics')
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/)
  const has = (line: string): void => assert.ok(body.includes(`${line}\n`), `${line} is not in\n${body}`)
  has('suanpan_http_requests_total{method="GET",route="/v1/accounts/:id",status="404"} 2')
  has('suanpan_http_requests_total{method="",route="unmatched",status="404"} 1')
  has('suanpan_http_request_duration_seconds_count{method="GET",route="/v1/accounts/:id"} 2')
  has('suanpan_http_batch_items_total{status="201"} 1')
  has('suanpan_http_batch_items_total{status="400"} 2')
  has('suanpan_http_requests_in_flight 1')
  assert.equal(body.includes('c:cash'), false)
})

test('paths and methods that are not there', async () => {
  for (const url of [
    '/nowhere',
    '/v1',
    '/v1/accounts/a:b/',
    '/v1/accounts/a:b/entries/1',
    '/V1/transactions',
    '//v1/transactions',
  ]) {
    assertProblem(await app.inject(url), 'not_found', undefined, url)
  }
  const table = [
    ['DELETE', '/v1/transactions', 'POST'],
    ['GET', '/v1/transactions', 'POST'],
    ['PUT', '/v1/transactions', 'POST'],
    ['POST', '/v1/accounts/a:b', 'GET, HEAD, PATCH'],
    ['DELETE', '/v1/accounts/a:b?x=1', 'GET, HEAD, PATCH'],
    ['POST', '/v1/assets/CNY', 'GET, HEAD, PUT'],
    ['OPTIONS', '/healthz', 'GET, HEAD'],
    ['TRACE', '/', 'GET, HEAD'],
  ] as const
  for (const [method, url, allow] of table) {
    const answered = await app.inject({ method: method as 'GET', url })
    assertProblem(answered, 'method_not_allowed', undefined, `${method} ${url}`)
    assert.equal(answered.headers.allow, allow)
  }
  // A body changes nothing about it.
  const withBody = await app.inject({
    method: 'PUT',
    url: '/v1/transactions',
    headers: { 'content-type': 'text/plain' },
    payload: 'x',
  })
  assertProblem(withBody, 'method_not_allowed')
})

test('paths that are broken', async () => {
  for (const url of [
    '/v1/accounts/%',
    '/v1/accounts/%zz',
    '/v1/accounts/a%ff',
    '/v1/transactions/%c0%80?owner=c',
    `/v1/accounts/${'x'.repeat(2_000)}`,
  ]) {
    assertProblem(await app.inject(url), 'invalid', undefined, url)
  }
  assertProblem(await app.inject('/v1/accounts/a%00:b'), 'invalid', 'id')
  assertProblem(await app.inject('/v1/accounts/..%2f..%2fetc:passwd'), 'invalid', 'id')
})

test('the pages for people protect the browser; the API does not carry their headers', async () => {
  const page = await app.inject('/')
  assert.match(String(page.headers['content-type']), /^text\/html/)
  assert.match(String(page.headers['content-security-policy']), /default-src 'self'/)
  assert.equal(page.headers['x-content-type-options'], 'nosniff')
  assert.ok(page.headers['x-request-id'])
  for (const link of [...page.body.matchAll(/href="([^"]+)"/g)].map(([, href]) => href ?? '')) {
    assert.equal((await app.inject(link)).statusCode, 200, link)
  }
  const docs = await app.inject('/docs')
  assert.match(docs.body, /swagger-ui/)
  // The policy allows no inline script, so there must be none.
  assert.equal(/<script(?![^>]*src=)/.test(docs.body), false)
  for (const asset of [...docs.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, href]) => href ?? '')) {
    assert.equal((await app.inject(new URL(asset, 'http://x/docs').pathname)).statusCode, 200, asset)
  }
  assert.equal((await app.inject('/healthz')).headers['content-security-policy'], undefined)
})
