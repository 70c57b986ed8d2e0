import type { BatchedOutcome } from '../record/observation.ts'
import { writeIn } from '../fingerprint/write-in.ts'
import { outcomeOf } from './outcome-of.ts'

/** What is known of a batch before it is sent. */
export interface Batch {
  /** Its statements; those that follow each other and are the same, once. */
  readonly sql: string
  readonly statements: readonly string[]
}

/** @param items of `db.batch()`: query builders, or raw SQL */
export function batchOf(items: readonly unknown[]): Batch {
  const statements = items.map(textOf)
  return {
    sql: statements.filter((sql, index) => sql !== statements[index - 1]).join('; '),
    statements,
  }
}

/**
 * What each statement has done, as far as the driver tells.
 *
 * @param results what the batch gave, one for each statement; anything else where it failed
 */
export function outcomesOf(statements: readonly string[], results: unknown): BatchedOutcome[] {
  const given: readonly unknown[] = Array.isArray(results) ? results : []
  return statements.map((sql, at) => ({ sql, ...resultOf(sql, given[at]) }))
}

function resultOf(sql: string, result: unknown): Omit<BatchedOutcome, 'sql'> {
  // Rows of Drizzle's: what their columns are called says nothing.
  if (Array.isArray(result)) return { rows: result.length, affectedRows: undefined }
  const { rows, affectedRows } = outcomeOf('run', result, false)
  // Where nothing is written, the driver's own result may tell of the write before: https://sqlite.org/c3ref/changes.html
  return { rows, affectedRows: writeIn(sql) === undefined ? undefined : affectedRows }
}

interface Item {
  toSQL?(): { readonly sql: string }
  getQuery?(): { readonly sql: string }
}

function textOf(item: unknown): string {
  const query = item as Item
  return (query.toSQL?.() ?? query.getQuery?.())?.sql ?? ''
}
