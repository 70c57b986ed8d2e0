import { type EngineName, OptionError, type Steps, wait } from '@keelson/core'
import { type Column, getTableColumns, getTableName, is, Param, SQL, sql, Table } from 'drizzle-orm'
import type { Conflict } from '../conflict.ts'
import type { HostSession } from '../host/host.ts'
import type {
  CompiledInsert,
  PlainResult,
  PlainShape,
  StatementShape,
  Target,
} from '../host/target.ts'
import { mysqlCounter } from '../method/mysql-method.ts'
import { byColumnName } from '../shape/column-names.ts'
import type { DrizzleDialect } from './internals.ts'

/** What Drizzle's columns have beside their public types. */
interface ColumnDetails {
  readonly defaultFn?: (() => unknown) | undefined
  readonly onUpdateFn?: (() => unknown) | undefined
  readonly baseColumn?: Column | undefined
  shouldDisableInsert(): boolean
}

/** A table as Drizzle describes it, with its casing, encoders and functions for defaults. */
export class DrizzleTarget implements Target {
  readonly table: string
  readonly schema: string | undefined
  readonly changesValues: boolean = false
  readonly isVolatile: boolean
  readonly filled: readonly string[]
  readonly #table: Table
  readonly #dialect: DrizzleDialect
  readonly #columns: Readonly<Record<string, Column>>
  readonly #engine: EngineName

  constructor(table: Table, dialect: DrizzleDialect, engine: EngineName) {
    if (!is(table, Table)) {
      throw new OptionError(
        'INVALID_OPTION',
        'table',
        'bulkInsert() takes a table of Drizzle: `sqliteTable(...)`, `pgTable(...)`, `mysqlTable(...)`.',
      )
    }
    this.#table = table
    this.#dialect = dialect
    this.#engine = engine
    this.#columns = getTableColumns(table)
    this.table = getTableName(table)
    const { Schema } = (Table as unknown as { readonly Symbol: { readonly Schema: symbol } }).Symbol
    this.schema = (table as unknown as Readonly<Record<symbol, string | undefined>>)[Schema]
    const columns = Object.entries(this.#columns)
    this.filled = columns.filter(([, column]) => fillOf(column) !== undefined).map(([key]) => key)
    // What `$onUpdateFn` returns is new for each statement.
    this.isVolatile = columns.some(([, column]) => details(column).onUpdateFn !== undefined)
  }

  columnNames(keys: readonly string[]): readonly (string | undefined)[] {
    return keys.map((key) =>
      Object.hasOwn(this.#columns, key)
        ? this.#dialect.casing.getColumnCasing(this.#columns[key]!)
        : undefined,
    )
  }

  keyOf(name: string): string | undefined {
    const keys = Object.keys(this.#columns)
    return keys.find((key) => this.#dialect.casing.getColumnCasing(this.#columns[key]!) === name)
  }

  isGenerated(key: string): boolean {
    return Object.hasOwn(this.#columns, key) && details(this.#columns[key]!).shouldDisableInsert()
  }

  fillOf(key: string): (() => unknown) | undefined {
    return fillOf(this.#columns[key]!)
  }

  encoderOf(key: string): ((value: unknown) => unknown) | undefined {
    const column = this.#columns[key]!
    return this.#engine === 'duckdb'
      ? listEncoder(column)
      : (value) => column.mapToDriverValue(value)
  }

  isExpression(value: object): boolean {
    return is(value, SQL) || is(value, Param)
  }

  compile({ keys, source, ...shape }: StatementShape): CompiledInsert {
    const placeholder = (): SQL => sql`${sql.param(0)}`
    let rows: SQL
    let placeholders: number
    if ('rowCount' in source) {
      placeholders = keys.length * source.rowCount
      const row = sql`(${sql.join(keys.map(placeholder), sql`, `)})`
      rows = sql`values ${sql.join(
        Array.from({ length: source.rowCount }, () => row),
        sql`, `,
      )}`
    } else {
      const { query } = source
      placeholders = query.length - 1
      rows = sql.join(
        query.flatMap((part, at) => (at === 0 ? [sql.raw(part)] : [placeholder(), sql.raw(part)])),
      )
    }
    const { sql: text, params } = this.#dialect.sqlToQuery(this.#insert(keys, rows, shape))
    return { sql: text, tail: params.slice(placeholders) }
  }

  *insertPlainly(
    session: HostSession,
    keys: readonly string[],
    values: readonly (readonly unknown[])[],
    shape: PlainShape,
  ): Steps<PlainResult> {
    const rows = values.map((row) => {
      // Bound as they are: they have been through the column's encoder.
      const parts = row.map((value) =>
        typeof value === 'object' && value !== null && this.isExpression(value)
          ? sql`${value}`
          : sql`${sql.param(value)}`,
      )
      return sql`(${sql.join(parts, sql`, `)})`
    })
    const insert = this.#insert(keys, sql`values ${sql.join(rows, sql`, `)}`, shape)
    const { sql: text, params } = this.#dialect.sqlToQuery(insert)
    if (shape.returning === undefined)
      return { rows: [], changes: yield* wait(session.run(text, params)) }
    const returned = yield* wait(session.query(text, params))
    return { rows: returned, changes: returned.length }
  }

  /** Drizzle's names for the columns, and its types for their values. */
  deliver(rows: readonly Record<string, unknown>[]): readonly Record<string, unknown>[] {
    const keyOf = byColumnName(
      this.#engine,
      Object.entries(this.#columns).map(([key, column]) => [
        this.#dialect.casing.getColumnCasing(column),
        { key, column },
      ]),
    )
    return rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => {
          const found = keyOf(name)
          if (found === undefined) return [name, value]
          const { key, column } = found
          return [key, value === null ? null : column.mapFromDriverValue(value)]
        }),
      ),
    )
  }

  #insert(
    keys: readonly string[],
    rows: SQL,
    { conflict, returning, returningExpression, updateCondition, given }: PlainShape,
  ): SQL {
    const parts = [sql`insert into ${this.#table} (${this.#list(keys)}) ${rows}`]
    // What is filled in is for new rows: one that is there keeps what it has.
    const own = keys.slice(0, Math.max(1, given))
    if (conflict !== undefined)
      parts.push(
        this.#engine === 'mysql'
          ? this.#onDuplicateKey(own, conflict)
          : this.#onConflict(own, conflict, updateCondition),
      )
    const results = [
      ...(returning === undefined ? [] : [this.#list(returning)]),
      ...(returningExpression === undefined ? [] : [sql.raw(returningExpression)]),
    ]
    if (results.length > 0) parts.push(sql` returning ${sql.join(results, sql`, `)}`)
    return sql.join(parts)
  }

  #onConflict(
    keys: readonly string[],
    conflict: Conflict,
    updateCondition: string | undefined,
  ): SQL {
    const { target, targetWhere, update, where } = conflict
    const onTarget = target === undefined ? sql`` : sql` (${this.#list(target)})`
    const onWhere = targetWhere === undefined ? sql`` : sql` where ${targetWhere}`
    if (update === undefined) return sql` on conflict${onTarget}${onWhere} do nothing`
    const set = this.#sets(keys, conflict, (name) => sql`excluded.${name}`)
    const conditions = [
      ...(where === undefined ? [] : [sql`(${where})`]),
      ...(updateCondition === undefined ? [] : [sql.raw(updateCondition)]),
    ]
    const condition =
      conditions.length === 0 ? sql`` : sql` where ${sql.join(conditions, sql` and `)}`
    return sql` on conflict${onTarget}${onWhere} do update set ${set}${condition}`
  }

  #onDuplicateKey(keys: readonly string[], conflict: Conflict): SQL {
    const first = this.#identifier(keys[0]!)
    const counter = sql.raw(mysqlCounter)
    // It stands for itself, so that it changes nothing but the counter.
    const counting = sql`${first} = if((${counter} := ${counter} + 1) > 0, ${first}, ${first})`
    if (conflict.update === undefined) return sql` on duplicate key update ${counting}`
    const set = this.#sets(keys, conflict, (name) => sql`values(${name})`)
    return sql` on duplicate key update ${counting}, ${set}`
  }

  #sets(keys: readonly string[], { target, update }: Conflict, excluded: (name: SQL) => SQL): SQL {
    const newValue = (key: string): SQL => excluded(sql`${this.#identifier(key)}`)
    let set: Record<string, unknown>
    if (update === 'all' || Array.isArray(update)) {
      const others = keys.filter((key) => target?.includes(key) !== true)
      const all = others.length === 0 ? keys.slice(0, 1) : others
      set = Object.fromEntries((update === 'all' ? all : update).map((key) => [key, newValue(key)]))
    } else {
      const rowOfNew = Object.fromEntries(
        Object.keys(this.#columns).map((key) => [key, newValue(key)]),
      )
      const given =
        typeof update === 'function'
          ? (update(rowOfNew) as Record<string, unknown>)
          : (update as Record<string, unknown>)
      set = Object.fromEntries(
        Object.entries(given)
          .filter(([, value]) => value !== undefined)
          .map(([key, value]) => [
            key,
            is(value, SQL) ? value : sql.param(value, this.#columns[key]!),
          ]),
      )
    }
    return this.#dialect.buildUpdateSet(this.#table, set)
  }

  #list(keys: readonly string[]): SQL {
    return sql.join(
      keys.map((key) => sql`${this.#identifier(key)}`),
      sql`, `,
    )
  }

  #identifier(key: string): ReturnType<typeof sql.identifier> {
    return sql.identifier(this.#dialect.casing.getColumnCasing(this.#columns[key]!))
  }
}

function details(column: Column): ColumnDetails {
  return column as unknown as ColumnDetails
}

/** As Drizzle's `values()` has it: `$defaultFn`, or where there is no default `$onUpdateFn`. */
function fillOf(column: Column): (() => unknown) | undefined {
  const { defaultFn, onUpdateFn } = details(column)
  return defaultFn ?? (column.default === undefined ? onUpdateFn : undefined)
}

/** Drizzle would write an array as PostgreSQL does; DuckDB's client takes it as it is. */
function listEncoder(column: Column): (value: unknown) => unknown {
  const { baseColumn } = details(column)
  if (baseColumn === undefined) return (value) => column.mapToDriverValue(value)
  const encode = listEncoder(baseColumn)
  return (value) =>
    Array.isArray(value) ? value.map((each) => (each === null ? null : encode(each))) : value
}
