import { quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { Conflict } from '../conflict.ts'
import { type Columns, part, picked, type Run } from '../shape/run.ts'
import { type MethodContext, Statements, updates } from './context.ts'
import { partsOf } from './duckdb-parts.ts'
import { rowOfComplaint, type SentRun } from './duckdb-complaint.ts'
import { duplicatesAmong } from './duplicates-among.ts'
import { type Attempt, type Method, nothing } from './method.ts'
import {
  duplicateMark,
  groupsOf,
  ordinalName,
  rankedSource,
  refusingSource,
  sameKeysQuery,
} from './ranked-source.ts'

/** Stands in the compiled text for what the rows come from. */
const placeholder = 'keelson_source_of_rows'

/**
 * Rows through a table function that DuckDB calls, or where its client has none through a staging table:
 * `insert into ... select ... from rows`. It counts inserted and updated rows together; the table's count tells them
 * apart, which is exact here: a transaction sees its own snapshot, and there are no triggers.
 */
export class DuckDBMethod implements Method {
  readonly countsTable: boolean
  readonly #context: MethodContext
  readonly #statements: Statements
  #name: 'table-function' | 'staging' = 'table-function'

  constructor(context: MethodContext) {
    this.#context = context
    this.#statements = new Statements(context.target)
    this.countsTable = updates(context.conflict)
  }

  get name(): 'table-function' | 'staging' {
    return this.#name
  }

  isBeside(): boolean {
    return true
  }

  *insert(
    session: HostSession,
    run: Run,
    from: number,
    to: number,
    before?: Promise<unknown>,
  ): Steps<Attempt> {
    const parts = partsOf(run, from, to, this.#context) ?? [
      { rows: undefined, conflict: this.#context.conflict, variant: 0 },
    ]
    const returned: Record<string, unknown>[] = []
    let changes = 0
    for (const { rows, conflict, variant } of parts) {
      const { columns } = run
      const sent = rows === undefined ? part(columns, from, to) : picked(columns, rows)
      const size = rows?.length ?? to - from
      try {
        const result = yield* this.#send(session, run, sent, conflict, variant, before)
        changes += result.changes
        for (const row of result.rows) returned.push(row)
      } catch (error) {
        const place = this.#positionOf(error, { ...run, columns: sent }, size)
        const position = place === undefined || rows === undefined ? place : rows[place]! - from
        return { outcome: nothing, done: 0, failure: { error, size: to - from, position } }
      }
    }
    const inserted = updates(this.#context.conflict) ? undefined : changes
    return { outcome: { changes, inserted, returned }, done: to - from, failure: undefined }
  }

  *#send(
    session: HostSession,
    run: Run,
    values: Columns,
    conflict: Conflict | undefined,
    variant: number,
    before: Promise<unknown> | undefined,
  ): Steps<{ readonly changes: number; readonly rows: readonly Record<string, unknown>[] }> {
    const { target, returning } = this.#context
    const { sql, tail } = this.#statements.get(variant, {
      keys: run.keys,
      given: run.given,
      source: { query: [this.#source(run, conflict)] },
      conflict,
      returning,
    })
    const result = yield* wait(
      session.bulkIngest!({
        table: target.table,
        schema: target.schema,
        columns: run.names,
        values,
        ...(this.#ranks(run.names, conflict) && { ordinal: ordinalName }),
        statement: (source) => sql.replace(placeholder, () => source),
        parameters: tail,
        after: before,
      }),
    )
    this.#name = result.method
    // With RETURNING DuckDB counts nothing.
    return {
      changes: returning === undefined ? result.changes : result.rows.length,
      rows: result.rows,
    }
  }

  *sameKeys(session: HostSession, keys: Columns): Steps<readonly (readonly number[])[]> {
    const { target, conflict, key } = this.#context
    if (!updates(conflict)) return []
    const { rows } = yield* wait(
      session.bulkIngest!({
        table: target.table,
        schema: target.schema,
        columns: key!,
        values: keys,
        ordinal: ordinalName,
        statement: (source) => sameKeysQuery('duckdb', source, key!),
      }),
    )
    return groupsOf(rows)
  }

  duplicatesIn(run: Run, from: number, to: number): readonly number[] {
    return duplicatesAmong(run, from, to, this.#context.conflict?.target)
  }

  /** DuckDB does not go on after an error, so that its text has to tell which row it was. */
  #positionOf(error: unknown, sent: SentRun, size: number): number | undefined {
    const index = (error as { readonly index?: unknown } | undefined)?.index
    if (typeof index === 'number') return index < size ? index : undefined
    return rowOfComplaint(error, sent, 0, size)
  }

  /** Whether rows of one key have to be told apart by their order. */
  #ranks(names: readonly string[], conflict: Conflict | undefined): boolean {
    if (conflict?.target === undefined || !updates(conflict)) return false
    // Of a key that is left to its default nothing is known before the row is in.
    return this.#context.key!.every((name) => names.includes(name))
  }

  #source({ names }: Run, conflict: Conflict | undefined): string {
    const { duplicates, key } = this.#context
    if (key === undefined || !this.#ranks(names, conflict)) {
      return `select ${names.map((name) => quoteIdentifier(name, 'duckdb')).join(', ')} from ${placeholder}`
    }
    return duplicates === 'error'
      ? refusingSource(placeholder, names, key)
      : rankedSource('duckdb', placeholder, names, key, duplicates)
  }
}

/** Whether the statement failed because of two rows with one key. */
export function isMarkedDuplicate(error: unknown): boolean {
  return error instanceof Error && error.message.includes(duplicateMark)
}
