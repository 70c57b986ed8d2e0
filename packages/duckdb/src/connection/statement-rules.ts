import { StatementType } from '@duckdb/node-api'
import { excerpt, SavepointsNotSupportedError } from '@keelson/core'
import { DuckDBStatementError } from '../errors.ts'
import { evaluatesEarly } from './early-evaluation.ts'
import { instanceSettings } from './instance-settings.ts'
import type { Statement } from './statement.ts'

/** What may stand between two words. */
const gap = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[^]*?\*/)`

const leading = new RegExp(`^(?:${gap}|;)*`)

function begins(sql: string, words: RegExp): boolean {
  return words.test(withoutLead(sql))
}

function withoutLead(sql: string): string {
  return sql.slice(leading.exec(sql)![0].length)
}

/** The words that a text begins with, where each space stands for whatever may be between words. */
function words(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll(' ', `${gap}+`)}`, 'i')
}

const savepoint = words(String.raw`(?:savepoint|release|rollback (?:transaction |work )?to)\b`)

/** Refuses what DuckDB has no words for, before a parser error could do harm to a transaction. */
export function refuseSavepoint(sql: string): void {
  if (!begins(sql, savepoint)) return
  throw savepointsError(excerpt(sql))
}

/** @param what the SQL, or the call, that asked for one */
export function savepointsError(what: string): SavepointsNotSupportedError {
  return new SavepointsNotSupportedError(
    `${what} is not possible: DuckDB has no savepoints, so no part of a transaction can be undone alone. ` +
      'Avoid the failure (ON CONFLICT DO NOTHING, TRY_CAST, a check before), or use a transaction of its own.',
  )
}

/** Refuses transactions that are begun or ended by SQL, behind the back of whoever keeps count of them. */
export function refuseControl(statement: Statement): void {
  if (statement.type !== StatementType.TRANSACTION) return
  throw new DuckDBStatementError(
    'TRANSACTION_CONTROL',
    `${excerpt(statement.sql)} is not run as a statement: the driver has to know what is open on which connection. ` +
      'Use transaction(), or begin(), commit() and rollback() of a session.',
  )
}

/** A temporary secret belongs to the instance. */
const createsTemporary = words(
  String.raw`create (?:or replace )?(?:local )?(?:temp|temporary) (?!secret\b)`,
)

const deallocates = words(String.raw`deallocate\b`)

const checkpoints = words(String.raw`pragma (?:force_)?checkpoint\b`)

const setting = words(String.raw`(?:set|reset|pragma) (?:(global|session|variable) )?"?(\w+)`)

/**
 * Whether a statement changes the connection it runs on, and only that: what it does is gone, or in somebody's way,
 * once another connection is used.
 */
export function changesConnection({ type, sql, isExpanded }: Statement): boolean {
  // It leaves types behind.
  if (isExpanded) return true
  switch (type) {
    case StatementType.PREPARE:
    case StatementType.VARIABLE_SET:
      return true
    case StatementType.PRAGMA:
      return !begins(sql, checkpoints)
    case StatementType.SET: {
      const [, scope, name = ''] = setting.exec(withoutLead(sql)) ?? []
      if (scope !== undefined) return scope.toLowerCase() !== 'global'
      return !instanceSettings.has(name.toLowerCase())
    }
    case StatementType.CREATE:
    case StatementType.CREATE_FUNC:
      return begins(sql, createsTemporary)
    case StatementType.DROP:
      return begins(sql, deallocates)
    default:
      return false
  }
}

export function refuseOnPool(statement: Statement): void {
  if (statement.isExpanded || !changesConnection(statement)) return
  const { type, sql } = statement
  const isSetting = type === StatementType.SET && !/\bvariable\b/i.test(sql)
  throw new DuckDBStatementError(
    'SESSION_STATE',
    `${excerpt(sql)} would change one connection of the pool, and the next statement may run on another. ` +
      'Run it on a session of `database.reserve()` (Kysely: `db.connection()`), or in the transaction that needs it' +
      (isSetting ? '; SET GLOBAL changes a setting for all.' : '.'),
  )
}

const definitions: ReadonlySet<StatementType> = new Set([
  StatementType.CREATE,
  StatementType.CREATE_FUNC,
  StatementType.ALTER,
  StatementType.DROP,
  StatementType.ATTACH,
  StatementType.DETACH,
  StatementType.SET,
  StatementType.LOAD,
  StatementType.EXTENSION,
  StatementType.COPY_DATABASE,
])

const checkpointCall = words(String.raw`(?:force )?checkpoint\b`)

/** Whether statements that were prepared before may mean something else after it, on any connection. */
export function changesDefinitions(statement: Statement): boolean {
  const { type, sql, isRead, isExpanded } = statement
  if (isExpanded) return !isRead
  if (type === StatementType.CALL) return !begins(sql, checkpointCall)
  if (type === StatementType.EXPLAIN) return !isRead
  return definitions.has(type) && !changesConnection(statement)
}

const writes: ReadonlySet<StatementType> = new Set([
  StatementType.INSERT,
  StatementType.UPDATE,
  StatementType.DELETE,
  StatementType.MERGE_INTO,
])

/** What looks at files or names while it is planned, and does not take it well to be planned again. */
const lookedUpEarly = /\b(?:glob|query|query_table|\w+_scan|sniff_csv|parquet_\w+)\s*\(/i

/**
 * Whether what DuckDB has prepared of a statement with parameters may be used again, as far as its text tells.
 *
 * DuckDB 1.5 plans such a statement anew each time if it reads a table; else it keeps the first plan. What reads none
 * is kept only for INSERT.
 */
export function isReusable({ type, sql }: Statement): boolean {
  if (evaluatesEarly(sql)) return false
  if (writes.has(type)) return true
  return type === StatementType.SELECT && /\bfrom\b/i.test(sql) && !lookedUpEarly.test(sql)
}

/** Whether a statement returns rows of its own, and not only how many rows it has changed. */
export function returnsRows({ type, sql, isRead }: Statement): boolean {
  switch (type) {
    case StatementType.CALL:
    case StatementType.EXECUTE:
    case StatementType.EXPLAIN:
      return true
    case StatementType.INSERT:
    case StatementType.UPDATE:
    case StatementType.DELETE:
    case StatementType.MERGE_INTO:
      return /\breturning\b/i.test(sql)
    default:
      return isRead
  }
}
