import { excerpt, QueryTimeoutError } from '@keelson/core/base'
import { SqliteStatementError } from '../errors.ts'
import { refuseControl } from '../statement/statement-rules.ts'
import { readRoute } from '../statement/read-route.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { RowIterator } from '../statement/row-iterator.ts'
import { payloadOf } from './error-payload.ts'
import { answer, flag, type StreamRequest } from './protocol.ts'
import { columnsOf } from './row-encoding.ts'
import type { RunnerParts } from './statement-runner.ts'
import { NotOpen } from './statement-runner.ts'
import { Cancelled, whileBusy } from './waiting.ts'

/** The rows of one statement, sent in chunks as they are asked for. There is one at a time on a connection. */
export class StreamJob {
  readonly #parts: RunnerParts
  readonly #request: StreamRequest
  #rows: RowIterator | undefined
  #names: readonly string[] | undefined
  /** What the statement has written is kept or undone in the end. */
  #undoes: 'transaction' | 'savepoint' | undefined
  #spentMs = 0
  #sent = 0

  constructor(parts: RunnerParts, request: StreamRequest) {
    this.#parts = parts
    this.#request = request
  }

  /** Begins it. @returns whether there are rows to be sent */
  open(): boolean {
    const { engine, inbox, answers, busyTimeoutMs } = this.#parts
    const [id, , sql, parameters, flags, , begin] = this.#request
    const isOwned = (flags & flag.owned) !== 0
    let isUnbegun = begin !== undefined
    try {
      if (begin !== undefined) {
        whileBusy(inbox, busyTimeoutMs, this.#isWanted, () => engine.prepare(begin).forRun().run())
        isUnbegun = false
      }
      if (isOwned && !engine.database.inTransaction) throw new NotOpen()
      const statement = this.#prepare(sql)
      if (statement === 'elsewhere' || this.#goesElsewhere(statement)) {
        answers.add([id, answer.elsewhere])
        return false
      }
      refuseControl(statement, isOwned)
      if (!statement.reader) {
        throw new SqliteStatementError(
          'NO_ROWS_TO_STREAM',
          `${excerpt(sql)} returns no rows, so there is nothing to stream. Execute it, or add RETURNING.`,
        )
      }
      this.#protect(statement, isOwned)
      this.#rows = engine.iterate(statement, parameters, 'arrays')
      this.#names = statement.columnNames()
      return true
    } catch (error) {
      this.#fail(error, isUnbegun)
      return false
    }
  }

  get isOpen(): boolean {
    return this.#rows !== undefined
  }

  sendChunk(): void {
    const { answers } = this.#parts
    const [id, , , , , chunkRows] = this.#request
    const start = performance.now()
    const rows: unknown[][] = []
    let hasMore = true
    try {
      while (rows.length < chunkRows) {
        const row = this.#rows!.next() as unknown[] | undefined
        if (row === undefined) {
          hasMore = false
          break
        }
        rows.push(row)
        if ((rows.length & 15) === 0) this.#look(start)
      }
    } catch (error) {
      this.#fail(error, false)
      return
    }
    this.#spentMs += performance.now() - start
    const names = this.#names!
    const columns = columnsOf(rows, 0, rows.length, names.length)
    const layout = this.#sent === 0 ? { names } : undefined
    answers.add([id, answer.columns, columns, rows.length, layout, undefined, hasMore, false])
    answers.flush()
    this.#sent++
    if (!hasMore) this.#closeRows()
  }

  /** Lets go of what it has, and of what it has written. */
  end(outcome: 'kept' | 'undone'): void {
    const { engine, answers } = this.#parts
    // Every request has an answer, also one whose rows nobody wanted to the end.
    if (this.isOpen) answers.add([this.#request[0], answer.cancelled])
    this.#closeRows()
    const run = (sql: string): void => void engine.prepare(sql).forRun().run()
    const undoes = this.#undoes
    this.#undoes = undefined
    if (undoes === undefined || !engine.database.inTransaction) return
    if (undoes === 'savepoint') {
      if (outcome === 'undone') run('rollback to keelson_stream')
      run('release keelson_stream')
      return
    }
    try {
      run(outcome === 'kept' ? 'commit' : 'rollback')
    } catch (error) {
      // A deferred foreign key keeps the transaction from being committed, and leaves it open.
      if (engine.database.inTransaction) run('rollback')
      throw error
    }
  }

  #prepare(sql: string): PreparedStatement | 'elsewhere' {
    const { engine, isReader } = this.#parts
    const mayGo = (this.#request[4] & flag.mayGoElsewhere) !== 0
    try {
      return engine.prepare(sql)
    } catch (error) {
      if (mayGo && isReader && (error as { code?: unknown }).code === 'SQLITE_ERROR')
        return 'elsewhere'
      throw error
    }
  }

  #goesElsewhere(statement: PreparedStatement): boolean {
    const { engine, isReader } = this.#parts
    const [, , , parameters, flags] = this.#request
    if ((flags & flag.mayGoElsewhere) === 0 || !isReader) return false
    return !statement.isRead || readRoute(engine.database, statement, parameters) === 'writer'
  }

  #protect(statement: PreparedStatement, isOwned: boolean): void {
    const { engine, inbox, isReader, busyTimeoutMs } = this.#parts
    if (statement.isRead || isReader) return
    const sql = isOwned ? 'savepoint keelson_stream' : 'begin immediate'
    whileBusy(inbox, busyTimeoutMs, this.#isWanted, () => engine.prepare(sql).forRun().run())
    this.#undoes = isOwned ? 'savepoint' : 'transaction'
  }

  #look(start: number): void {
    const { queryTimeoutMs, inbox } = this.#parts
    const [id, , sql] = this.#request
    if (inbox.wasCancelled(id)) throw new Cancelled()
    const spentMs = this.#spentMs + performance.now() - start
    if (queryTimeoutMs === undefined || spentMs <= queryTimeoutMs) return
    throw new QueryTimeoutError(
      `The stream spent ${Math.round(spentMs)} ms in SQLite, more than queryTimeoutMs allows, and was ended: ${excerpt(sql)}.`,
    )
  }

  readonly #isWanted = (): boolean => !this.#parts.inbox.wasCancelled(this.#request[0])

  #fail(error: unknown, isUnbegun: boolean): void {
    const { engine, answers } = this.#parts
    const [id, , , , flags] = this.#request
    this.#closeRows()
    if (error instanceof Cancelled) answers.add([id, answer.cancelled])
    else {
      const hasEnded = (flags & flag.owned) !== 0 && !engine.database.inTransaction
      answers.failed(id, payloadOf(error), hasEnded, isUnbegun)
    }
    answers.flush()
  }

  #closeRows(): void {
    this.#rows?.close()
    this.#rows = undefined
  }
}
