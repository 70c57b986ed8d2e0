import { type Steps, upsertedFunction, valuesByRow, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { StatementShape } from '../host/target.ts'
import { part, type Run } from '../shape/run.ts'
import { type MethodContext, Statements, updates } from './context.ts'
import type { Attempt, Method, Outcome } from './method.ts'

/** Statements with more parameters than this take longer for each row: measured with 6 and 10 columns. */
const bestParameters = 320
/** A statement that is prepared for each call has to carry more rows. */
const bestParametersUnprepared = 3_000

/**
 * One statement with some tens of rows, prepared once and run over and over. An upsert's updates are counted by a function
 * in its condition, `do update ... where keelson_upserted()`, on drivers of Keelson; on others by the table's count.
 */
export class SqliteMethod implements Method {
  readonly name = 'multi-row-statement'
  readonly countsTable: boolean
  readonly #context: MethodContext
  readonly #statements: Statements
  readonly #countsUpserts: boolean
  readonly #isKnown: boolean

  constructor(context: MethodContext) {
    this.#context = context
    this.#statements = new Statements(context.target)
    const { isOwnDriver, table, conflict } = context
    const upserts = updates(conflict)
    // RAISE(IGNORE) keeps an update from happening that was counted: https://www.sqlite.org/lang_createtrigger.html
    const mayIgnore = table.triggers.some((text) => /raise\s*\(\s*ignore/i.test(text))
    this.#countsUpserts = upserts && isOwnDriver && !mayIgnore
    this.countsTable = upserts && !isOwnDriver && table.triggers.length === 0
    this.#isKnown = !table.isView
  }

  isBeside({ worksBeside }: HostSession): boolean {
    return worksBeside === true
  }

  *insert(
    session: HostSession,
    run: Run,
    from: number,
    to: number,
    before?: Promise<unknown>,
  ): Steps<Attempt> {
    const after = session.worksBeside === true ? before : undefined
    if (before !== undefined && after === undefined) yield* wait(before)
    const isPrepared = session.bulkStatements !== undefined || session.preparesOnce === true
    const parameters = isPrepared ? bestParameters : bestParametersUnprepared
    const rows = Math.max(1, Math.floor(parameters / run.keys.length))
    return yield* session.bulkStatements === undefined
      ? this.#oneByOne(session, run, from, to, rows)
      : this.#inBulk(session.bulkStatements, run, from, to, rows, after)
  }

  *#inBulk(
    send: NonNullable<HostSession['bulkStatements']>,
    run: Run,
    from: number,
    to: number,
    rowsPerStatement: number,
    after: Promise<unknown> | undefined,
  ): Steps<Attempt> {
    const { tail } = this.#statements.get(1, this.#shape(run, 1))
    const result = yield* wait(
      send({
        statement: (rowCount) => this.#statements.get(rowCount, this.#shape(run, rowCount)).sql,
        columns: part(run.columns, from, to),
        rowCount: to - from,
        rowsPerStatement,
        tail,
        countsUpserts: this.#countsUpserts,
        after,
      }),
    )
    const outcome = this.#outcome(result.changes, result.upserted, result.rows)
    const { done, failure } = result
    if (failure === undefined) return { outcome, done, failure }
    const size = Math.min(rowsPerStatement, to - from - done)
    return { outcome, done, failure: { ...failure, size, ...place(failure.error, run, size) } }
  }

  *#oneByOne(
    session: HostSession,
    run: Run,
    from: number,
    to: number,
    rowsPerStatement: number,
  ): Steps<Attempt> {
    const returned: Record<string, unknown>[] = []
    let changes = 0
    for (let at = from; at < to;) {
      const size = Math.min(rowsPerStatement, to - at)
      const { sql, tail } = this.#statements.get(size, this.#shape(run, size))
      try {
        const parameters = valuesByRow(run.columns, at, at + size, tail)
        if (this.#context.returning === undefined)
          changes += (yield* wait(session.run(sql, parameters, size))) ?? 0
        else {
          const rows = yield* wait(session.query(sql, parameters, size))
          changes += rows.length
          returned.push(...rows)
        }
      } catch (error) {
        return {
          outcome: this.#outcome(changes, 0, returned),
          done: at - from,
          failure: { error, size, ...place(error, run, size) },
        }
      }
      at += size
    }
    return { outcome: this.#outcome(changes, 0, returned), done: to - from, failure: undefined }
  }

  #outcome(
    changes: number,
    upserted: number,
    returned: readonly Record<string, unknown>[],
  ): Outcome {
    if (!this.#isKnown) return { changes: undefined, inserted: undefined, returned }
    const inserted = this.#countsUpserts
      ? changes - upserted
      : updates(this.#context.conflict)
        ? undefined
        : changes
    return { changes, inserted, returned }
  }

  #shape({ keys, given }: Run, rowCount: number): StatementShape {
    const { conflict, returning } = this.#context
    return {
      keys,
      given,
      source: { rowCount },
      conflict,
      returning,
      ...(this.#countsUpserts && { updateCondition: `${upsertedFunction}()` }),
    }
  }
}

/** The row that a driver's complaint about a parameter belongs to. */
function place(error: unknown, { keys }: Run, size: number): { readonly position?: number } {
  const index = (error as { readonly index?: unknown } | undefined)?.index
  if (typeof index !== 'number') return {}
  const position = Math.floor(index / keys.length)
  return position < size ? { position } : {}
}
