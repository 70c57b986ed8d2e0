import { type Steps, valuesByRow, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { StatementShape } from '../host/target.ts'
import type { Run } from '../shape/run.ts'
import { type MethodContext, Statements, updates } from './context.ts'
import type { Attempt, Method, Outcome } from './method.ts'

/** The least that a server takes in one packet by default is four times as much: `max_allowed_packet`. */
export const maxStatementBytes = 1_000_000

const maxRows = 1_000

/** A variable of the session; in `on duplicate key update` it counts the rows that were there already. */
export const mysqlCounter = '@keelson_upserted'

/**
 * One INSERT with the values of many rows. MySQL's count of affected rows is 2 for an updated row, and 1 for one that was
 * updated to what it was, as for an inserted one (mysql2 asks for `CLIENT_FOUND_ROWS`): so the rows that were there count
 * themselves, in a variable. https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html
 */
export class MysqlMethod implements Method {
  readonly name = 'multi-row-values'
  readonly countsTable: boolean = false
  readonly #context: MethodContext
  readonly #statements: Statements

  constructor(context: MethodContext) {
    this.#context = context
    this.#statements = new Statements(context.target)
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
    if (before !== undefined) yield* wait(before)
    const { conflict } = this.#context
    let changes = 0
    let inserted = 0
    const outcome = (): Outcome => ({ changes, inserted, returned: [] })
    for (let at = from; at < to;) {
      const size = rowsThatFit(run, at, to, this.#context.traits.maxParameters!)
      const shape: StatementShape = {
        keys: run.keys,
        given: run.given,
        source: { rowCount: size },
        conflict,
        returning: undefined,
      }
      const { sql, tail } = this.#statements.get(size, shape)
      try {
        if (conflict !== undefined) yield* resetMysqlCounter(session, size)
        const affected = yield* wait(
          session.run(sql, valuesByRow(run.columns, at, at + size, tail), size),
        )
        const there = conflict === undefined ? 0 : yield* readMysqlCounter(session, size)
        const isNew = conflict === undefined ? (affected ?? size) : size - there
        inserted += isNew
        changes += updates(conflict) ? size : isNew
      } catch (error) {
        return { outcome: outcome(), done: at - from, failure: { error, size } }
      }
      at += size
    }
    return { outcome: outcome(), done: to - from, failure: undefined }
  }
}

/** Before a statement whose conflicts are to be counted. */
export function* resetMysqlCounter(session: HostSession, rowCount: number): Steps<void> {
  yield* wait(session.run(`set ${mysqlCounter} = 0`, [], rowCount))
}

/** How many rows of the last statement were there already. */
export function* readMysqlCounter(session: HostSession, rowCount: number): Steps<number> {
  const rows = yield* wait(session.query(`select ${mysqlCounter} as n`, [], rowCount))
  return Number(rows[0]!['n'])
}

/** Rows that one statement can carry: by the number of parameters, and by an upper estimate of its bytes. */
function rowsThatFit(
  { keys, columns }: Run,
  from: number,
  to: number,
  maxParameters: number,
): number {
  // Some parameters are left for constants of the conflict clause.
  const most = Math.min(
    to - from,
    maxRows,
    Math.max(1, Math.floor((maxParameters - 500) / keys.length)),
  )
  let bytes = 0
  for (let size = 0; size < most; size++) {
    for (const items of columns) bytes += bytesOf(items[from + size])
    if (bytes > maxStatementBytes) return Math.max(1, size)
  }
  return most
}

function bytesOf(value: unknown): number {
  // UTF-8 with every character escaped.
  if (typeof value === 'string') return value.length * 3 + 4
  if (value instanceof Uint8Array) return value.byteLength * 2 + 4
  return typeof value === 'object' && value !== null ? 200 : 32
}
