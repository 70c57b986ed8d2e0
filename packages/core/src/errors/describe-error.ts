import { describeDuckDBError } from './duckdb.ts'
import type { ErrorDescription } from './error-description.ts'
import { errorField, textField } from './error-field.ts'
import { describeKeelsonError, endedTransaction } from './keelson.ts'
import { describeMysqlError } from './mysql.ts'
import { describeNodeError } from './node.ts'
import { describePostgresqlError } from './postgresql.ts'
import { describeSqliteError } from './sqlite.ts'

/** What a description may contain. */
export interface DescribeErrorOptions {
  /**
   * Keep the values of keys and rows that engines put into their messages, for example the e-mail address that is
   * taken already. Leave it off for what goes into logs. @default false
   */
  readonly includeValues?: boolean
}

const deepestCause = 5

/**
 * Says what an error means, in the same words whatever engine and driver it comes from.
 *
 * Understands better-sqlite3, node:sqlite, libsql, @duckdb/node-api, pg, PGlite, postgres.js, mysql2, Node's network
 * and file errors, AbortSignals and Keelson's own errors, also as they arrive from a worker, where only `name`,
 * `message` and `code` are left. A wrapper (Drizzle's `DrizzleQueryError`, any error with a `cause`) is looked
 * through, up to five causes deep. Classified by code; by text only where the engine gives no code fine enough.
 *
 * Never throws, whatever it is given, and changes nothing about it: rethrow the error itself, not the description.
 *
 * @example
 * try {
 *   await db.insertInto('account').values(row).execute()
 * } catch (error) {
 *   const { category, columns } = describeError(error)
 *   if (category === 'unique') return conflict(columns) // ['email']
 *   throw error
 * }
 */
export function describeError(
  error: unknown,
  options: DescribeErrorOptions = {},
): ErrorDescription {
  // An unknown option goes unnoticed here: this runs in catch clauses, where an error of its own would hide theirs.
  return describe(error, options.includeValues === true, 0) ?? unknown(error)
}

function describe(
  error: unknown,
  includeValues: boolean,
  depth: number,
): ErrorDescription | undefined {
  if (typeof error !== 'object' || error === null || depth > deepestCause) return undefined
  const own =
    describeKeelsonError(error) ??
    describeSqliteError(error) ??
    describePostgresqlError(error, includeValues) ??
    describeMysqlError(error, includeValues) ??
    describeDuckDBError(error, includeValues) ??
    describeNodeError(error)
  if (own !== undefined) return own
  const cause = describe(errorField(error, 'cause'), includeValues, depth + 1)
  if (!endedTransaction(error)) return cause
  return { ...(cause ?? unknown(error)), transactionFate: 'rolledBack' }
}

function unknown(error: unknown): ErrorDescription {
  const thrown = typeof error === 'object' && error !== null ? error : undefined
  return {
    engine: undefined,
    category: 'unknown',
    code: thrown && textField(thrown, 'code'),
    retryable: false,
    transactionFate: 'unknown',
    message: thrown ? (textField(thrown, 'message') ?? '') : text(error),
  }
}

function text(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    // A function can have a `toString` that throws.
    return ''
  }
}
