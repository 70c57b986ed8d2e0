/** Schemas as clients post them, and the tables that are made of them. */
import { describeError } from '@keelson/core'
import {
  createTableSql,
  defineTable,
  type DescriptionRow,
  fromDescriptions,
  fromJsonSchema,
  type IndexKey,
  indexName,
  type QueryPattern,
  type Refusal,
  resolveIndexes,
  type TableDefinition,
} from '@keelson/indexes'
import { ensureTables } from '@keelson/indexes/kysely'
import { transaction } from '@keelson/transactions/kysely'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { Database, Engine } from './database.ts'
import { Problem } from './problem.ts'
import { codecOf, type Codec } from './values.ts'

export interface Schema {
  readonly name: string
  readonly table: TableDefinition
  /** The indexes that it has, and those that this engine should not have. */
  readonly indexes: readonly { readonly name: string; readonly fields: readonly string[] }[]
  readonly refused: readonly Pick<Refusal, 'index' | 'code' | 'why' | 'instead'>[]
  readonly codecs: ReadonlyMap<string, Codec>
  /** Checks a record, and makes of it what is inserted. */
  readonly record: z.ZodType<Record<string, unknown>>
}

/** The schemas that there are, by name. */
const registry = defineTable(
  'schema_registry',
  z.object({
    name: z
      .string()
      .max(40)
      .meta({ db: { primaryKey: true } }),
    definition: z.string(),
  }),
)

export class Schemas {
  readonly #database: Database
  readonly #known = new Map<string, Schema>()

  constructor(database: Database) {
    this.#database = database
  }

  /**
   * Makes a table of a schema, unless there is one already: who posts the same one twice, or at the same time as another
   * process, is answered alike.
   */
  async define(name: string, body: unknown): Promise<{ schema: Schema; isNew: boolean }> {
    const schema = schemaOf(name, body, this.#database.engine)
    const isNew = await this.#register(name, body)
    if (!isNew && !isDeepStrictEqual(await this.#definition(name), body)) {
      throw new Problem(
        409,
        'OTHER_SCHEMA',
        `${name} is another schema already. Post it under another name.`,
      )
    }
    // Should this process end here, the next request for the schema makes its table.
    await ensureTables(this.#database.db, [schema.table])
    this.#known.set(name, schema)
    return { schema, isNew }
  }

  /** @throws {Problem} 404 */
  async find(name: string): Promise<Schema> {
    const schema = this.#known.get(name) ?? (await this.#load(name))
    // Asks the database the first time, and not again.
    await ensureTables(this.#database.db, [schema.table])
    return schema
  }

  async names(): Promise<string[]> {
    const { db } = this.#database
    await ensureTables(db, [registry])
    const rows = await db.selectFrom(registry.name).select('name').orderBy('name').execute()
    return rows.map((row) => row.name)
  }

  /** @returns false when it is there already */
  async #register(name: string, body: unknown): Promise<boolean> {
    const { db } = this.#database
    await ensureTables(db, [registry])
    try {
      const insert = db
        .insertInto(registry.name)
        .values({ name, definition: JSON.stringify(body) })
        .onConflict((conflict) => conflict.column('name').doNothing())
      // DuckDB sees one that is inserted at the same time when it commits.
      const { numInsertedOrUpdatedRows } = await transaction(
        db,
        () => insert.executeTakeFirstOrThrow(),
        { retry: 10 },
      )
      return numInsertedOrUpdatedRows === 1n
    } catch (error) {
      // Or before that.
      if (describeError(error).category === 'unique') return false
      throw error
    }
  }

  async #load(name: string): Promise<Schema> {
    const definition = schemaName.test(name) ? await this.#definition(name) : undefined
    if (definition === undefined) {
      throw new Problem(
        404,
        'NO_SCHEMA',
        `There is no schema ${JSON.stringify(name)}. Post it to /schemas/<name>.`,
      )
    }
    const schema = schemaOf(name, definition, this.#database.engine)
    this.#known.set(name, schema)
    return schema
  }

  async #definition(name: string): Promise<unknown> {
    const { db } = this.#database
    await ensureTables(db, [registry])
    const row = await db
      .selectFrom(registry.name)
      .select('definition')
      .where('name', '=', name)
      .executeTakeFirst()
    return row === undefined ? undefined : JSON.parse(row.definition)
  }
}

const schemaName = /^[a-z][a-z0-9_]{0,39}$/
const fieldName = /^[A-Za-z][A-Za-z0-9_]{0,47}$/
const maxFields = 64

/** A text that does not say how long it is may have so many characters; an index has room for that. */
const maxText = 500
const maxIdText = 100

/** The table of a schema: with a key, with an index for each field, and with nothing that only an operator should decide. */
function schemaOf(name: string, body: unknown, engine: Engine): Schema {
  if (!schemaName.test(name)) {
    throw new Problem(
      422,
      'INVALID_NAME',
      `A schema has a name of up to 40 of a-z, 0-9 and _, beginning with a letter; not ${JSON.stringify(name)}.`,
    )
  }
  const read = tableOf(`records_${name}`, body)
  check(read)
  const columns = read.columns.map((column) =>
    column.type.kind === 'string'
      ? {
          ...column,
          type: {
            kind: 'string' as const,
            maxLength: column.type.maxLength ?? (column.name === 'id' ? maxIdText : maxText),
          },
        }
      : column,
  )
  const table: TableDefinition = {
    ...read,
    columns,
    // Names of the client's could be those of another schema's indexes.
    indexes: read.indexes.map(({ keys, unique }) => ({ keys, unique })),
    queries: columns.flatMap(({ name: field, type }) =>
      field !== 'id' && isSearched(type) ? queriesOf(field) : [],
    ),
  }
  const { indexes, refused } = resolveIndexes(table, engine)
  // Throws for what the engine cannot have.
  createTableSql(table, engine)
  const codecs = new Map(columns.map((column) => [column.name, codecOf(column, engine)]))
  const inputs = [...codecs].map(([field, { input }]) => [field, input] as const)
  return {
    name,
    table,
    indexes: indexes.map((index) => ({
      name: indexName(table, index, engine),
      fields: index.keys.map(nameOf),
    })),
    // Two ways to ask may want the same index.
    refused: refused.map(({ index, code, why, instead }) => ({ index, code, why, instead })),
    codecs,
    record: z.strictObject(Object.fromEntries(inputs)),
  }
}

function tableOf(name: string, body: unknown): TableDefinition {
  // Rows that describe columns, as a table `schemas_description` has them.
  if (Array.isArray(body)) {
    const rows = body as DescriptionRow[]
    const hasId = rows.some((row) => row?.name === 'id')
    return fromDescriptions(hasId ? rows : [{ name: 'id', type: 'uuid' }, ...rows], {
      name,
      primaryKey: 'id',
      engine: 'sqlite',
    })
  }
  if (typeof body !== 'object' || body === null) {
    throw new Problem(
      422,
      'NOT_A_SCHEMA',
      'A schema is a JSON Schema, or an array of rows that describe its fields.',
    )
  }
  const { properties } = body as { readonly properties?: unknown }
  if (typeof properties !== 'object' || properties === null)
    return fromJsonSchema(body as object as Record<string, unknown>, { name })
  const id = { type: 'string', format: 'uuid' }
  return fromJsonSchema({ primaryKey: 'id', ...body, properties: { id, ...properties } }, { name })
}

function check({ columns, primaryKey, foreignKeys }: TableDefinition): void {
  const refuse = (field: string, why: string): never => {
    throw new Problem(
      422,
      'INVALID_FIELD',
      `The field ${JSON.stringify(field)} cannot be: ${why}.`,
      { field },
    )
  }
  if (columns.length > maxFields) {
    throw new Problem(
      422,
      'TOO_MANY_FIELDS',
      `A schema has at most ${maxFields} fields, and this one has ${columns.length}.`,
    )
  }
  if (columns.length === 1) {
    throw new Problem(422, 'NO_FIELDS', 'A schema has at least one field beside `id`.')
  }
  for (const { name, override, identity, type } of columns) {
    if (!fieldName.test(name))
      refuse(name, 'a name has up to 48 letters, digits and _, beginning with a letter')
    if (
      columns.some((other) => other.name < name && other.name.toLowerCase() === name.toLowerCase())
    )
      refuse(
        name,
        'another one differs from it in capitals alone, which is the same to most engines',
      )
    if (override !== undefined)
      refuse(name, 'which type it is in the database is not for clients to say')
    if (identity === true) refuse(name, 'records are not numbered here')
    if (name === 'id' && !keys.has(type.kind))
      refuse(name, `it is the key, which is one of ${[...keys].join(', ')}`)
  }
  if (primaryKey.length !== 1 || primaryKey[0] !== 'id')
    refuse(primaryKey.join(), 'the key of a record is `id`')
  for (const key of foreignKeys) refuse(key.columns.join(), 'records do not refer to others here')
}

const keys: ReadonlySet<string> = new Set(['uuid', 'string', 'integer', 'int32', 'bigint'])

const isSearched = ({ kind }: TableDefinition['columns'][number]['type']): boolean =>
  kind !== 'json' && kind !== 'array' && kind !== 'blob'

function nameOf({ expression }: IndexKey): string {
  if (expression.kind === 'json') return [expression.column, ...expression.path].join('.')
  return expression.kind === 'column' ? expression.name : expression.kind
}

/** How `GET /records` asks: by a value, or sorted by it, page by page. */
function queriesOf(field: string): QueryPattern[] {
  const sort = keysOf(field)
  const none = { equals: [], among: [], ranges: [], limited: true }
  return [
    { ...none, equals: [sort[0].expression], sort: [sort[1]] },
    { ...none, sort },
  ]
}

/** The index that serves both: equal values are in the order of their ids. */
export function keysOf(field: string): [IndexKey, IndexKey] {
  return [
    { expression: { kind: 'column', name: field } },
    { expression: { kind: 'column', name: 'id' } },
  ]
}
