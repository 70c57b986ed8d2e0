import { excerpt, QueryTimeoutError } from '@keelson/core/base'
import { SqliteStatementError } from '../errors.ts'
import { refuseControl } from '../statement/statement-rules.ts'
import type { PreparedStatement } from '../statement/prepared-statement.ts'
import type { RowIterator } from '../statement/row-iterator.ts'
import { answering, runCommand } from './answering.ts'
import { preparedHere } from './place.ts'
import { answer, type Begin, flag, type StreamRequest } from './protocol.ts'
import { columnsOf } from './row-encoding.ts'
import type { RunnerParts } from './statement-runner.ts'
import { Cancelled } from './waiting.ts'

/** The rows of one statement, sent in chunks as they are asked for. There is one at a time on a connection. */
export class StreamJob {
  readonly #parts: RunnerParts
  readonly #request: StreamRequest
  #rows: RowIterator | undefined
  #names: readonly string[] | undefined
  /** What the statement has written is kept or undone in the end. */
  #undoes: 'transaction' | 'savepoint' | undefined
  #spentMs = 0
  #hasSent = false

  constructor(parts: RunnerParts, request: StreamRequest) {
    this.#parts = parts
    this.#request = request
  }

  open(): void {
    const { engine, answers } = this.#parts
    const [id, , sql, parameters, flags, , begin] = this.#request
    const isOwned = (flags & flag.owned) !== 0
    const mayGo = (flags & flag.mayGoElsewhere) !== 0
    this.#answering(begin, () => {
      const statement = preparedHere(this.#parts, sql, parameters, mayGo)
      if (statement === 'elsewhere') {
        answers.add([id, answer.elsewhere])
        return
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
    })
  }

  get isOpen(): boolean {
    return this.#rows !== undefined
  }

  sendChunk(): void {
    this.#answering(undefined, () => {
      const { answers } = this.#parts
      const [id, , , , , chunkRows] = this.#request
      const start = performance.now()
      const rows: unknown[][] = []
      let hasMore = true
      while (rows.length < chunkRows) {
        const row = this.#rows!.next() as unknown[] | undefined
        if (row === undefined) {
          hasMore = false
          break
        }
        rows.push(row)
        if ((rows.length & 15) === 0) this.#look(start)
      }
      this.#spentMs += performance.now() - start
      const names = this.#names!
      const columns = columnsOf(rows, 0, rows.length, names.length)
      const layout = this.#hasSent ? undefined : { names }
      answers.add([id, answer.columns, columns, rows.length, layout, undefined, hasMore, false])
      this.#hasSent = true
      if (!hasMore) this.#closeRows()
    })
    this.#parts.answers.flush()
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

  #answering(begin: Begin | undefined, work: () => void): void {
    const [id, , , , flags] = this.#request
    const isOwned = (flags & flag.owned) !== 0
    answering(this.#parts, { id, begin, isOwned }, work, () => this.#closeRows())
  }

  #protect(statement: PreparedStatement, isOwned: boolean): void {
    if (statement.isRead || this.#parts.isReader) return
    const sql = isOwned ? 'savepoint keelson_stream' : 'begin immediate'
    runCommand(this.#parts, this.#request[0], sql)
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

  #closeRows(): void {
    this.#rows?.close()
    this.#rows = undefined
  }
}
