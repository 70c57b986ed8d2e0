import { OptionError, type Steps, wait } from '@keelson/core'
import {
  CamelCasePlugin,
  createQueryId,
  DeduplicateJoinsPlugin,
  type Expression,
  HandleEmptyInListsPlugin,
  type InsertQueryBuilder,
  type InsertQueryNode,
  type Kysely,
  ParseJSONResultsPlugin,
  type QueryResult,
  type RawBuilder,
  SafeNullComparisonPlugin,
  sql,
  TableNode,
  type UnknownRow,
  WithSchemaPlugin,
} from 'kysely'
import type { HostSession } from '../host/host.ts'
import type {
  CompiledInsert,
  PlainResult,
  PlainShape,
  StatementShape,
  Target,
} from '../host/target.ts'
import { mysqlCounter } from '../method/mysql-method.ts'

type Builder = InsertQueryBuilder<any, any, any>

/** Plugins that change names, or results, but no value. */
const nameOnly = [
  CamelCasePlugin,
  WithSchemaPlugin,
  DeduplicateJoinsPlugin,
  ParseJSONResultsPlugin,
  HandleEmptyInListsPlugin,
  SafeNullComparisonPlugin,
] as const

/** A table as Kysely names it, with the plugins and the schema of `db`. */
export class KyselyTarget implements Target {
  readonly table: string
  readonly schema: string | undefined
  readonly changesValues: boolean
  readonly isVolatile: boolean = false
  readonly filled: readonly string[] = []
  readonly #db: Kysely<any>
  readonly #into: string
  readonly #isMysql: boolean
  readonly #names = new Map<string, string>()

  constructor(db: Kysely<any>, table: string, isMysql: boolean) {
    this.#db = db
    this.#into = table
    this.#isMysql = isMysql
    const { into } = insertNode(db.insertInto(table).values({ keelson: 0 }))
    if (into === undefined || !TableNode.is(into)) {
      throw new OptionError(
        'INVALID_OPTION',
        'table',
        `bulkInsert() takes the name of a table, and ${JSON.stringify(table)} is none.`,
      )
    }
    this.table = into.table.identifier.name
    this.schema = into.table.schema?.name
    this.changesValues = db
      .getExecutor()
      .plugins.some((plugin) => !nameOnly.some((known) => plugin instanceof known))
  }

  columnNames(keys: readonly string[]): readonly string[] {
    return keys.map((key) => {
      const known = this.#names.get(key)
      if (known !== undefined) return known
      // One by one: an object has keys that look like numbers before all others.
      const row = Object.fromEntries([[key, 0]])
      const { columns } = insertNode(this.#db.insertInto(this.#into).values(row))
      const { name } = columns![0]!.column
      this.#names.set(key, name)
      return name
    })
  }

  keyOf(): undefined {}

  isGenerated(): boolean {
    return false
  }

  fillOf(): undefined {}

  encoderOf(): undefined {}

  isExpression(value: object): boolean {
    return 'toOperationNode' in value
  }

  compile({ keys, source, ...shape }: StatementShape): CompiledInsert {
    const insert = this.#db.insertInto(this.#into)
    if ('rowCount' in source) {
      const row = Object.fromEntries(keys.map((key) => [key, 0]))
      const values = Array.from({ length: source.rowCount }, () => row)
      const { sql: text, parameters } = this.#finish(insert.values(values), keys, shape).compile()
      return { sql: text, tail: parameters.slice(keys.length * source.rowCount) }
    }
    const { query } = source
    const strings = Object.assign([...query], { raw: query }) as TemplateStringsArray
    const placeholders = query.slice(1).map(() => 0)
    const rows = insert.columns([...keys]).expression(sql(strings, ...placeholders))
    const { sql: text, parameters } = this.#finish(rows, keys, shape).compile()
    return { sql: text, tail: parameters.slice(placeholders.length) }
  }

  *insertPlainly(
    session: HostSession,
    keys: readonly string[],
    values: readonly (readonly unknown[])[],
    shape: PlainShape,
  ): Steps<PlainResult> {
    const rows = values.map((row) => Object.fromEntries(keys.map((key, at) => [key, row[at]])))
    const insert = this.#db.insertInto(this.#into).values(rows)
    const compiled = this.#finish(insert, keys, shape).compile()
    const { sql: text, parameters } = compiled
    if (shape.returning === undefined)
      return { rows: [], changes: yield* wait(session.run(text, parameters)) }
    const returned = yield* wait(session.query(text, parameters))
    return { rows: returned, changes: returned.length }
  }

  async deliver(
    rows: readonly Record<string, unknown>[],
  ): Promise<readonly Record<string, unknown>[]> {
    let result: QueryResult<UnknownRow> = { rows: rows as UnknownRow[] }
    const queryId = createQueryId()
    for (const plugin of this.#db.getExecutor().plugins)
      result = await plugin.transformResult({ result, queryId })
    return result.rows
  }

  #finish(
    insert: Builder,
    keys: readonly string[],
    { conflict, returning, returningExpression, updateCondition }: PlainShape,
  ): Builder {
    let builder = insert
    if (conflict !== undefined)
      builder = this.#isMysql
        ? this.#onDuplicateKey(builder, keys, conflict)
        : onConflict(builder, keys, conflict, updateCondition)
    if (returning !== undefined) builder = builder.returning(returning as string[])
    if (returningExpression !== undefined)
      builder = builder.returning(sql.raw(returningExpression) as never)
    return builder
  }

  #onDuplicateKey(
    builder: Builder,
    keys: readonly string[],
    { target, update }: NonNullable<PlainShape['conflict']>,
  ): Builder {
    const sets = (eb: unknown): Record<string, unknown> => {
      if (update === undefined) return { [keys[0]!]: sql.ref(keys[0]!) }
      if (typeof update === 'function') return update(eb) as Record<string, unknown>
      if (update !== 'all' && !Array.isArray(update)) return update as Record<string, unknown>
      const updated = updatedKeys(keys, target, update)
      return Object.fromEntries(updated.map((key) => [key, sql`values(${sql.ref(key)})`]))
    }
    return builder.onDuplicateKeyUpdate(((eb: unknown) => {
      const [[first, value], ...others] = Object.entries(sets(eb)) as [
        [string, unknown],
        ...[string, unknown][],
      ]
      const counter = sql.raw(mysqlCounter)
      const counting = sql`if((${counter} := ${counter} + 1) > 0, ${asExpression(value)}, ${sql.ref(first)})`
      return Object.fromEntries([[first, counting], ...others])
    }) as never)
  }
}

function asExpression(value: unknown): Expression<unknown> {
  const isExpression = typeof value === 'object' && value !== null && 'toOperationNode' in value
  return isExpression ? (value as RawBuilder<unknown>) : sql`${value}`
}

function onConflict(
  builder: Builder,
  keys: readonly string[],
  { target, targetWhere, update, where }: NonNullable<PlainShape['conflict']>,
  updateCondition: string | undefined,
): Builder {
  return builder.onConflict((start) => {
    let clause = target === undefined ? start : start.columns(target as never)
    if (targetWhere !== undefined) clause = clause.where(targetWhere as never)
    if (update === undefined) return clause.doNothing()
    const sets =
      update === 'all' || Array.isArray(update)
        ? (eb: any) =>
            Object.fromEntries(
              updatedKeys(keys, target, update as 'all' | readonly string[]).map((key) => [
                key,
                eb.ref(`excluded.${key}`),
              ]),
            )
        : update
    let updated = clause.doUpdateSet(sets as never)
    if (where !== undefined) updated = updated.where(where as never)
    if (updateCondition !== undefined)
      updated = updated.where(sql.raw<boolean>(updateCondition) as never)
    return updated
  })
}

/** With nothing but the key in a row, updating it means to leave it as it is. */
function updatedKeys(
  keys: readonly string[],
  target: readonly string[] | undefined,
  update: 'all' | readonly string[],
): readonly string[] {
  if (update !== 'all') return update
  const others = keys.filter((key) => target?.includes(key) !== true)
  return others.length === 0 ? keys.slice(0, 1) : others
}

function insertNode(builder: Builder): InsertQueryNode {
  return builder.toOperationNode() as InsertQueryNode
}
