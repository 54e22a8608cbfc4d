import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { TSchema } from 'typebox'
import { problemBody, problems } from '../../schemas/problem.ts'
import { checker } from './check.ts'
import { acceptedBody } from './testing/fake-engine.ts'
import { assertProblem } from './testing/problems.ts'
import { start } from './testing/start.ts'

const { app, reads } = await start()
after(() => app.close())

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema?: unknown
  }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, unknown>> }>
  >
}

interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

const text = (await app.inject('/openapi.json')).body
const document = JSON.parse(text) as Document
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
)

test('every operation of this stage of the contract is there, and nothing else', () => {
  assert.deepEqual(operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).sort(), [
    'GET /healthz',
    'GET /metrics',
    'GET /readyz',
    'GET /v1/accounts',
    'GET /v1/accounts/{id}',
    'GET /v1/accounts/{id}/entries',
    'GET /v1/assets',
    'GET /v1/assets/{code}',
    'GET /v1/campaigns',
    'GET /v1/campaigns/{code}',
    'GET /v1/heads',
    'GET /v1/points',
    'GET /v1/programs',
    'GET /v1/programs/{code}',
    'GET /v1/transactions/{id}',
    'PATCH /v1/accounts/{id}',
    'POST /v1/accounts',
    'POST /v1/transactions',
    'POST /v1/transactions/batch',
    'PUT /v1/assets/{code}',
    'PUT /v1/campaigns/{code}',
    'PUT /v1/programs/{code}',
  ])
})

test('it is a whole OpenAPI document: unique ids, path parameters declared, references that lead somewhere', () => {
  assert.match(document.openapi, /^3\.1\./)
  assert.ok(document.info.title && document.info.version)
  const ids = operations.map(({ operation }) => operation.operationId)
  assert.equal(new Set(ids).size, operations.length)
  for (const { path, operation } of operations) {
    assert.ok(operation.summary, path)
    const named = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
    assert.deepEqual(
      declared.map(({ name }) => name),
      named,
    )
    for (const parameter of declared) assert.equal(parameter.required, true)
    for (const parameter of operation.parameters ?? []) assert.ok(parameter.schema, `${path} ${parameter.name}`)
    for (const [status, { description }] of Object.entries(operation.responses))
      assert.ok(description, `${path} ${status}`)
  }
  for (const [, reference = ''] of text.matchAll(/"\$ref":"([^"]*)"/g)) {
    const name = /^#\/components\/schemas\/(.+)$/.exec(reference)?.[1] ?? reference
    assert.ok(name in document.components.schemas, reference)
  }
  for (const [, target = ''] of text.matchAll(/"#\/components\/schemas\/([^"]*)"/g))
    assert.ok(target in document.components.schemas, target)
  assert.equal(text.includes('"$id"'), false)
})

test('every code of the problem table is listed, and each status of it that a route can give is described', () => {
  const { properties } = document.components.schemas.Problem as { properties: { code: { enum: string[] } } }
  assert.deepEqual([...properties.code.enum].sort(), Object.keys(problems).sort())
  const post = document.paths['/v1/transactions']?.post
  for (const [code, { http }] of Object.entries(problems)) {
    // Not of a transaction, or not of a route that exists.
    if (['not_found', 'method_not_allowed', 'version_mismatch'].includes(code)) continue
    assert.ok(post?.responses[http]?.description.includes(`\`${code}\``), code)
  }
})

test('answers are of a schema, problems are of theirs', () => {
  for (const { path, method, operation } of operations) {
    for (const [status, { content = {} }] of Object.entries(operation.responses)) {
      const types = Object.keys(content)
      if (Number(status) >= 400) assert.deepEqual(types, ['application/problem+json'], `${method} ${path} ${status}`)
      else assert.ok(types.length > 0, `${method} ${path} ${status}`)
    }
  }
  assert.deepEqual(Object.keys(document.paths['/v1/transactions/batch']?.post?.requestBody?.content ?? {}).sort(), [
    'application/json',
    'application/msgpack',
    'application/x-ndjson',
  ])
})

test('the examples of the document are taken by the server', async () => {
  const { examples } = document.components.schemas.TransactionBody as { examples: unknown[] }
  assert.ok(examples.length > 0)
  for (const example of examples) {
    const answered = await app.inject({
      method: 'POST',
      url: '/v1/transactions',
      headers: { 'content-type': 'application/json' },
      payload: JSON.stringify(example),
    })
    assert.equal(answered.statusCode, 201, answered.body)
  }
})

test('every route of the document answers, if only with a problem', async () => {
  for (const { path, method } of operations) {
    const answered = await app.inject({
      method: method.toUpperCase() as 'GET',
      url: path.replaceAll(/\{[^}]+\}/g, 'x'),
    })
    if (answered.statusCode >= 400)
      assertProblem(answered, 'invalid', (JSON.parse(answered.body) as { field?: string }).field)
    else assert.equal(answered.statusCode, 200)
  }
})

/** The schema of an answer with every reference in place. */
function answerSchema(path: string, method: string, type: string): TSchema {
  const whole = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(whole)
    const { $ref } = value as { $ref?: string }
    if ($ref !== undefined) return whole(document.components.schemas[$ref.split('/').at(-1) ?? ''])
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, whole(member)]))
  }
  const content = document.paths[path]?.[method]?.responses[200]?.content?.[type] as { schema: unknown }
  return whole(content.schema) as TSchema
}

test('a transaction that is read is of its schema, whatever became of it', async () => {
  const { check } = checker(answerSchema('/v1/transactions/{id}', 'get', 'application/json'))
  const refusal = problemBody('insufficient_funds', {
    detail: '1 is available, 2 is needed.',
    facts: { available: '1', needed: '2' },
    instance: '/v1/transactions/pay-1?owner=c',
  })
  const bodies = [
    [201, acceptedBody({ type: 'debit', id: 'pay-1', account: 'c:cash', amount: '1', to: 'house:x' }), 'posted'],
    [422, refusal, 'declined'],
    [202, '{"id":"pay-1","status":"undecided"}', 'undecided'],
  ] as const
  for (const [http, body, state] of bodies) {
    reads.transactions.set('c pay-1', { http, body, transfers: [], now: { state } })
    const read = await app.inject('/v1/transactions/pay-1?owner=c')
    assert.equal(read.statusCode, 200)
    assert.ok(check(JSON.parse(read.body)), read.body)
    assert.equal(check({ ...JSON.parse(read.body), now: undefined }), false)
  }
})

test('every line of a streamed batch is of its schema, the last one too', async () => {
  const { check } = checker(answerSchema('/v1/transactions/batch', 'post', 'application/x-ndjson'))
  const answered = await app.inject({
    method: 'POST',
    url: '/v1/transactions/batch',
    headers: { 'content-type': 'application/x-ndjson' },
    payload: '{"id":"a","type":"debit","account":"c:cash","amount":"1"}\n{}\n',
  })
  const lines = answered.body.trim().split('\n')
  assert.equal(lines.length, 3)
  for (const line of lines) assert.ok(check(JSON.parse(line)), line)
  assert.equal(check({ count: 2 }), false)
})
