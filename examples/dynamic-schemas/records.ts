/** Records of a schema, one at a time or as a stream of any length. */
import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { transaction } from '@keelson/transactions/kysely'
import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import type { Database } from './database.ts'
import { linesOf, parseJson } from './ndjson.ts'
import { Problem, problemOf } from './problem.ts'
import type { Schema } from './schemas.ts'

export type Row = Record<string, unknown>

/** @returns the record as it is kept, with its defaults */
export async function insertRecord({ db }: Database, schema: Schema, body: unknown): Promise<Row> {
  const { success, data, error } = schema.record.safeParse(withId(schema, body))
  if (!success) {
    const errors = error.issues.map((issue) => ({
      field: issue.path.join('.'),
      detail: sentenceOf(issue),
    }))
    throw new Problem(422, 'INVALID_RECORD', errors.map(({ detail }) => detail).join('; '), {
      errors,
    })
  }
  return transaction(db, async () => {
    await db.insertInto(schema.table.name).values(data).execute()
    return recordOf(
      schema,
      await db
        .selectFrom(schema.table.name)
        .selectAll()
        .where('id', '=', data['id'])
        .executeTakeFirstOrThrow(),
    )
  })
}

export async function findRecord({ db }: Database, schema: Schema, id: string): Promise<Row> {
  const { input, ofText } = schema.codecs.get('id')!
  const key = input.safeParse(ofText(id))
  const row = key.success
    ? await db
        .selectFrom(schema.table.name)
        .selectAll()
        .where('id', '=', key.data)
        .executeTakeFirst()
    : undefined
  if (row === undefined)
    throw new Problem(404, 'NO_RECORD', `${schema.name} has no record ${JSON.stringify(id)}.`)
  return recordOf(schema, row)
}

/** What becomes of a record whose key is there already. */
export const conflicts = {
  skip: 'skip',
  update: { target: 'id', update: 'all' },
  reject: 'error',
} as const

/** How many rejections are listed; all are counted. */
const shown = 100

export interface Upload {
  readonly attempted: number
  readonly inserted: number | undefined
  readonly updated: number | undefined
  readonly skipped: number | undefined
  readonly rejected: number
  /** The first of them; `row` counts from 1. */
  readonly rejections: readonly {
    readonly row: number
    readonly code: string
    readonly detail: string
  }[]
  readonly elapsedMs: number
  readonly method: string | undefined
}

/** Inserts what a client streams, a batch at a time, and reports what became of each record. */
export async function uploadRecords(
  { db, engine }: Database,
  schema: Schema,
  body: AsyncIterable<Uint8Array>,
  conflict: keyof typeof conflicts,
  signal: AbortSignal,
): Promise<Upload> {
  const rejections: Upload['rejections'][number][] = []
  const report = await bulkInsert(db, schema.table.name, linesOf(body), {
    // In batches, so that a client that sends slowly keeps no lock.
    atomic: false,
    onConflict: conflicts[conflict],
    // SQLite has the last of several records with one key win by itself.
    ...(conflict === 'update' && engine !== 'sqlite' && { duplicatesInInput: 'last' }),
    validate: {
      '~standard': {
        version: 1,
        vendor: 'example',
        validate: (line) => rowOf(schema, line as Uint8Array),
      },
    },
    maxRejections: Number.MAX_SAFE_INTEGER,
    onRejected: ({ rowIndex, error }) => {
      if (rejections.length >= shown) return
      const { code, detail } = problemOf(error)
      rejections.push({ row: rowIndex + 1, code, detail })
    },
    signal,
  })
  const { attempted, inserted, updated, skipped, rejected, elapsedMs, method } = report
  return { attempted, inserted, updated, skipped, rejected, rejections, elapsedMs, method }
}

/** A row of the database as a client sees it. */
export function recordOf({ codecs }: Schema, row: Row): Row {
  return Object.fromEntries([...codecs].map(([field, { read }]) => [field, read(row[field])]))
}

/** One line as a row, or what is wrong with it, as Standard Schema puts it. */
function rowOf(schema: Schema, line: Uint8Array) {
  let body: unknown
  try {
    body = parseJson(line)
  } catch (error) {
    return { issues: [{ message: (error as Problem).message }] }
  }
  const { success, data, error } = schema.record.safeParse(withId(schema, body))
  if (success) return { value: data }
  return { issues: error.issues.map((issue) => ({ message: sentenceOf(issue), path: issue.path })) }
}

/** The record with a key, and with no other properties than its own: a field may be called `constructor`. */
function withId({ table }: Schema, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const { type } = table.columns.find(({ name }) => name === 'id')!
  return { ...(type.kind === 'uuid' && { id: randomUUID() }), ...body, __proto__: null }
}

function sentenceOf({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.join('.')}: ${message}`
}
