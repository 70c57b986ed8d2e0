/** The routes. */
import { timingHandler } from '@keelson/timing'
import { health } from '@keelson/timing/kysely'
import { type Context, Hono } from 'hono'
import type { Database } from './database.ts'
import { discard, readJson } from './ndjson.ts'
import { Problem, problemResponse } from './problem.ts'
import { conflicts, findRecord, insertRecord, uploadRecords } from './records.ts'
import { type Schema, Schemas } from './schemas.ts'
import { findRecords } from './search.ts'

export function createApp(database: Database): Hono {
  const schemas = new Schemas(database)
  const app = new Hono()

  // Who is still sending hears no answer: a body that is not wanted is read, as far as that is reasonable.
  app.use(async ({ req }, next) => {
    await next()
    if (req.raw.body !== null && !req.raw.bodyUsed) await discard(req.raw.body)
  })

  app.get('/schemas', async (context) => context.json({ schemas: await schemas.names() }))

  app.get('/schemas/:name', async (context) =>
    context.json(shown(await schemas.find(context.req.param('name')))),
  )

  app.post('/schemas/:name', async (context) => {
    const { schema, isNew } = await schemas.define(context.req.param('name'), await json(context))
    return context.json(shown(schema), isNew ? 201 : 200)
  })

  app.get('/schemas/:name/records', async (context) => {
    const schema = await schemas.find(context.req.param('name'))
    return context.json(await findRecords(database, schema, new URL(context.req.url).searchParams))
  })

  app.get('/schemas/:name/records/:id', async (context) => {
    const schema = await schemas.find(context.req.param('name'))
    return context.json(await findRecord(database, schema, context.req.param('id')))
  })

  app.post('/schemas/:name/records', async (context, next) => {
    if (contentType(context) !== 'application/x-ndjson') return next()
    const schema = await schemas.find(context.req.param('name'))
    const { conflict = 'skip' } = context.req.query()
    if (!isConflict(conflict)) {
      throw new Problem(
        400,
        'INVALID_CONFLICT',
        `\`conflict\` is ${Object.keys(conflicts).join(', ')}, and not ${JSON.stringify(conflict)}.`,
      )
    }
    const { body, signal } = context.req.raw
    return context.json(
      await uploadRecords(database, schema, body ?? new Blob([]).stream(), conflict, signal),
    )
  })

  app.post('/schemas/:name/records', async (context) => {
    const schema = await schemas.find(context.req.param('name'))
    return context.json(await insertRecord(database, schema, await json(context)), 201)
  })

  // Statements tell much of an application: put a middleware before it that knows who may see them.
  const timing = timingHandler(database.timing, {
    basePath: '/_timing',
    health: () => health(database.db),
  })
  app.get('/_timing', (context) => timing(context.req.raw))
  app.get('/_timing/*', (context) => timing(context.req.raw))

  app.notFound((context) =>
    problemResponse(
      new Problem(404, 'NOT_FOUND', `There is no ${context.req.method} ${context.req.path}.`),
    ),
  )
  app.onError((error) => problemResponse(error))
  return app
}

function shown({ name, table, indexes, refused }: Schema): object {
  return {
    name,
    fields: table.columns.map(({ name: field, type, nullable }) => ({
      name: field,
      ...type,
      required: !nullable,
    })),
    indexes,
    refused,
    notEnforced: table.notEnforced ?? [],
  }
}

function contentType(context: Context): string | undefined {
  return context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
}

/** @throws {Problem} for a body that is something else */
function json(context: Context): Promise<unknown> {
  if (contentType(context) !== 'application/json') {
    throw new Problem(
      415,
      'NOT_JSON',
      'Send application/json; records also as application/x-ndjson.',
    )
  }
  return readJson(context.req.raw.body ?? new Blob([]).stream())
}

function isConflict(text: string): text is keyof typeof conflicts {
  return Object.hasOwn(conflicts, text)
}
