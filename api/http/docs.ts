// The OpenAPI document, generated from the schemas that validate, and the pages for people: /docs and the start page. Only these pages
// carry the headers that protect browsers.
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  AccountAnswer,
  AccountsAnswer,
  AssetAnswer,
  AssetsAnswer,
  EntriesAnswer,
  HeadsAnswer,
  PointsAnswer,
} from '../../schemas/http/account.ts'
import {
  BatchEndAnswer,
  BatchItemAnswer,
  ProblemAnswer,
  QueuedAnswer,
  TransactionAnswer,
  TransactionViewAnswer,
} from '../../schemas/http/answer.ts'
import { CampaignAnswer, CampaignsAnswer, ProgramAnswer, ProgramsAnswer } from '../../schemas/http/catalog.ts'
import { AnyTransactionBody, transactionBodies } from '../../schemas/http/transaction.ts'

/** Before any route: collects the routes and names the schemas that they refer to. */
export async function collectOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Suanpan',
        version,
        description:
          'An actor-model transaction processor. Every answer comes after the commit that holds it; the same id gets the same answer for ever.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: ['transactions', 'accounts', 'assets', 'programs', 'campaigns', 'operations'].map((name) => ({ name })),
    },
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, index) => String(json.$id ?? `schema-${index}`) },
  })
  for (const schema of named) app.addSchema(schema)
}

const StatusAnswer = Type.Object(
  { status: Type.String() },
  { $id: 'Status', title: 'Status', examples: [{ status: 'ok' }] },
)

const named = [
  ...Object.values(transactionBodies),
  AnyTransactionBody,
  TransactionAnswer,
  TransactionViewAnswer,
  QueuedAnswer,
  BatchItemAnswer,
  BatchEndAnswer,
  ProblemAnswer,
  AccountAnswer,
  AccountsAnswer,
  EntriesAnswer,
  HeadsAnswer,
  PointsAnswer,
  AssetAnswer,
  AssetsAnswer,
  ProgramAnswer,
  ProgramsAnswer,
  CampaignAnswer,
  CampaignsAnswer,
  StatusAnswer,
]

/** A scope of its own, for its headers. */
export async function pages(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    // The server itself speaks plain HTTP: what forces TLS is the proxy's to say.
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        objectSrc: ["'none'"],
        imgSrc: ["'self'", 'data:'],
        // Swagger UI sets style attributes.
        styleSrc: ["'self'", "'unsafe-inline'"],
      },
    },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Suanpan API' },
    // Without the bar of Swagger UI, which offers to load other documents.
    uiConfig: { tryItOutEnabled: true, layout: 'BaseLayout' },
  })
  // Made on first use: by then every route is there.
  let document: string | undefined
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => {
    document ??= JSON.stringify(app.swagger())
    void reply.type('application/json; charset=utf-8').send(document)
  })
  app.get('/', { schema: { hide: true } }, (_request, reply) => {
    void reply.type('text/html; charset=utf-8').send(startPage)
  })
}

const startPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Suanpan</title>
<h1>Suanpan</h1>
<p>An actor-model transaction processor.</p>
<ul>
<li><a href="/docs">API documentation</a></li>
<li><a href="/openapi.json">OpenAPI document</a></li>
<li><a href="/readyz">Readiness</a></li>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/v1/assets">Assets</a></li>
<li><a href="/v1/heads">Chain heads</a></li>
</ul>
</html>
`
