import { attachSuppressed, excerpt, type Holder } from '@keelson/core'
import { SqliteStatementError } from '../errors.ts'
import { type PreparedStatement } from '../statement/prepared-statement.ts'
import type { StatementEngine } from '../statement/statement-engine.ts'
import { judge } from './autocommit.ts'
import { retryWhileBusy } from './busy-retry.ts'
import type { InlineEngine } from './inline-engine.ts'
import { control, type Owned } from './ownership.ts'
import type { RowSource } from '../session/row-stream.ts'
import type { WriteGate } from '../session/write-gate.ts'

/** Where the rows of a stream come from, and how to let go of it. */
export interface StreamSource extends RowSource {
  readonly engine: StatementEngine
  readonly statement: PreparedStatement
}

interface Wanted {
  readonly sql: string
  /** Refuses a statement that may not run here. */
  readonly check: (statement: PreparedStatement) => void
}

interface WantedByItself extends Wanted {
  readonly engine: InlineEngine
  readonly parameters: readonly unknown[]
  readonly holder: Holder
  /** Aborted when the stream or the database is closed, and when it waits for too long. */
  readonly signal: AbortSignal
  /** Call as soon as a connection is taken, so that closing the database finds it. */
  readonly opened: () => void
}

/** In a transaction: on its connection, in a savepoint if it writes. */
export function sourceOnOwned({ engine, isWriter }: Owned, wanted: Wanted): StreamSource {
  const statement = prepared(engine, wanted)
  if (statement.isRead || !isWriter) return { engine, statement, finish: () => {} }
  control({ engine }, 'savepoint keelson_stream')
  return {
    engine,
    statement,
    finish: (outcome) => {
      if (!engine.database.inTransaction) return
      if (outcome === 'undone') control({ engine }, 'rollback to keelson_stream')
      control({ engine }, 'release keelson_stream')
    },
  }
}

/** Outside one: on a read connection of its own, or in its turn on the one that writes. */
export async function sourceOfItsOwn(wanted: WantedByItself): Promise<StreamSource> {
  const { engine, sql, parameters, holder, signal } = wanted
  engine.assertOpen()
  const { statement, tryReader } = judge(engine, sql, parameters)
  if (statement !== undefined) checked(statement, wanted)
  const source = tryReader ? await onReader(wanted) : undefined
  if (source !== undefined) return source
  await engine.gate.enter(holder, sql, signal)
  try {
    signal.throwIfAborted()
    wanted.opened()
    return await onWriter(prepared(engine.writer, wanted), wanted)
  } catch (error) {
    engine.gate.leave(holder)
    throw error
  }
}

/** @returns undefined for a statement that writes */
async function onReader(wanted: WantedByItself): Promise<StreamSource | undefined> {
  const { signal, sql } = wanted
  const lease = await wanted.engine.borrowReader(sql, signal)
  try {
    signal.throwIfAborted()
    const { resource: engine } = lease
    const statement = prepared(engine, wanted)
    if (statement.isRead) {
      wanted.opened()
      return { engine, statement, finish: () => lease.release() }
    }
  } catch (error) {
    lease.release()
    throw error
  }
  lease.release()
  return undefined
}

async function onWriter(
  statement: PreparedStatement,
  { engine: { writer: engine, snapshot, options, gate }, holder, signal }: WantedByItself,
): Promise<StreamSource> {
  const leave = (): void => gate.leave(holder)
  snapshot?.endAll()
  if (statement.isRead) return { engine, statement, finish: leave }
  await retryWhileBusy(() => control({ engine }, 'begin immediate'), options.busyTimeoutMs, signal)
  return {
    engine,
    statement,
    finish: (outcome) => {
      try {
        if (engine.database.inTransaction)
          control({ engine }, outcome === 'kept' ? 'commit' : 'rollback')
        snapshot?.endAll()
      } catch (error) {
        // A deferred foreign key keeps the transaction from being committed, and leaves it open.
        rollBack(engine, gate, error)
        throw error
      } finally {
        leave()
      }
    },
  }
}

function rollBack(engine: StatementEngine, gate: WriteGate, error: unknown): void {
  try {
    if (engine.database.inTransaction) control({ engine }, 'rollback')
  } catch (later) {
    attachSuppressed(error, later)
    // Nobody may write on a connection whose state is unknown.
    gate.close(error as Error)
  }
}

function prepared(engine: StatementEngine, wanted: Wanted): PreparedStatement {
  return checked(engine.prepare(wanted.sql), wanted)
}

function checked(statement: PreparedStatement, { sql, check }: Wanted): PreparedStatement {
  check(statement)
  if (statement.reader) return statement
  throw new SqliteStatementError(
    'NO_ROWS_TO_STREAM',
    `${excerpt(sql)} returns no rows, so there is nothing to stream. Execute it, or add RETURNING.`,
  )
}
