import { describeError, wait } from '@keelson/core'
import type { SchemaLock } from './schema-lock.ts'

/**
 * The lock is SQLite's own on the file: one connection writes at a time. Kysely's dialect begins a transaction that does
 * not have it yet, and one that reads first can be refused for good when it wants to write. So the first statement is one
 * that SQLite compiles to a write and that changes nothing: it frees at most one page, and that only where the file asks for
 * it by `auto_vacuum = incremental`. https://www.sqlite.org/pragma.html#pragma_incremental_vacuum
 */
export const sqliteLock: SchemaLock = {
  *take(session) {
    yield* wait(session.run('pragma incremental_vacuum(1)'))
  },
  isInTheWay: (error) => describeError(error).category === 'busy',
}
