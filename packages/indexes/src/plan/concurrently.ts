import { type EngineName, invalidOption } from '@keelson/core'
import type { PlanStep } from './schema-plan.ts'

/** @throws {OptionError} when it is asked for where no engine has it */
export function checkConcurrently(where: string, asked: boolean, engine: EngineName): void {
  if (asked && engine !== 'postgresql')
    invalidOption(where, 'concurrently', asked, `it on PostgreSQL alone; this is ${engine}`)
}

/** The same step so that others write meanwhile, where it is about an index; PostgreSQL lets it be in no transaction then. */
export function inNoTransaction(step: PlanStep): PlanStep {
  if (step.kind !== 'createIndex' && step.kind !== 'dropIndex') return step
  return {
    ...step,
    risk: step.risk === 'locking' ? 'slow' : step.risk,
    sql: step.sql.map(inSql),
    down: step.down.map(inSql),
    transactional: false,
  }
}

/** Statements are our own, and those of `pg_get_indexdef()`. */
function inSql(sql: string): string {
  return sql.replace(
    /^(create (?:unique )?index|drop index) (?!concurrently )/i,
    '$1 concurrently ',
  )
}
