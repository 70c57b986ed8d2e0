import type { LiveText } from '../live-text.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { SchemaEngine } from '../schema-engine.ts'
import type { TableDifference } from '../table-difference.ts'
import { alterDuckDB } from './duckdb-change.ts'
import { alterPostgresql } from './postgresql-change.ts'
import { alterSqlite } from './sqlite-change.ts'

/** A table that is to be altered, and what is known of it. */
export interface Change {
  readonly difference: TableDifference
  readonly text: LiveText
  /** Whether another table, or the table itself, refers to it. */
  readonly isReferenced: boolean
  /** SQLite from 3.53: `ALTER TABLE` adds and drops CHECKs and NOT NULL. */
  readonly altersConstraints: boolean
}

/** Adds the steps to a plan that make the columns, checks and foreign keys of a table what they are to be; not its indexes. */
export const alterTable: Readonly<
  Record<SchemaEngine, (change: Change, plan: PlanBuilder) => void>
> = {
  sqlite: alterSqlite,
  duckdb: alterDuckDB,
  postgresql: alterPostgresql,
}
