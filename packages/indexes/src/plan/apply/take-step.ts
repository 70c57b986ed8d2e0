import {
  attachSuppressed,
  describeError,
  type EngineName,
  quoteIdentifier,
  type Steps,
  wait,
} from '@keelson/core'
import { RebuildError, RowsInTheWayError } from '../../errors.ts'
import type { HostSession, Row } from '../../host/host.ts'
import { duplicateCount } from '../change/prechecks.ts'
import { isRebuild } from '../change/rebuild.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import type { PlanStep, StepCheck } from '../schema-plan.ts'

/** Takes one step. @throws {RowsInTheWayError} before anything is done, when rows are in its way */
export function* takeStep(session: HostSession, step: PlanStep, engine: EngineName): Steps<void> {
  yield* checkRows(session, step)
  if (step.kind === 'createIndex') yield* dropUnfinished(session, step, engine)
  const before = yield* countForRebuild(session, step, engine)
  try {
    for (const sql of step.sql) yield* wait(session.run(sql))
  } catch (error) {
    yield* endRebuild(session, step, error)
    throw error
  }
  const after = yield* countForRebuild(session, step, engine)
  if (before !== after) {
    throw new RebuildError(
      step.table,
      `Table ${JSON.stringify(step.table)} had ${before} rows, and ${after} after it was rebuilt. All of it was undone: look for a ` +
        'trigger that deletes or adds rows.',
    )
  }
}

/** The setting belongs to the connection, and outlasts the transaction that is undone. */
function* endRebuild(session: HostSession, { sql }: PlanStep, error: unknown): Steps<void> {
  if (!isRebuild(sql)) return
  try {
    yield* wait(session.run(sql.at(-1)!))
  } catch (later) {
    attachSuppressed(error, later)
  }
}

export function* checkRows(session: HostSession, step: PlanStep): Steps<void> {
  for (const check of step.prechecks ?? []) {
    const row = yield* firstRow(session, check.sql)
    if (row !== undefined) throw new RowsInTheWayError(step, row, messageOf(step, check, row))
  }
}

/** Empty for one that is there and has a number that the driver refuses to give, since it could only round it. */
function* firstRow(session: HostSession, sql: string): Steps<Row | undefined> {
  try {
    const [row] = yield* wait(session.query(sql))
    return row
  } catch (error) {
    if (describeError(error).code === 'INT64_RANGE') return {}
    throw error
  }
}

function messageOf(step: PlanStep, { finds, of }: StepCheck, row: Row): string {
  const table = JSON.stringify(step.table)
  switch (finds) {
    case 'duplicates': {
      const { [duplicateCount]: count, ...key } = row
      return (
        `Index ${JSON.stringify(step.object)} cannot be unique: ${String(count)} rows of ${table} have the same ${of}, for example ` +
        `${text(key)}. Change or delete all but one of each, and try again.`
      )
    }
    case 'nulls':
      return `Column ${JSON.stringify(of)} of ${table} cannot be NOT NULL: it is NULL in ${text(row)}. Fill it in all rows, and try again.`
    case 'violations':
      return `Check ${JSON.stringify(of)} of ${table} cannot be added: it does not hold for ${text(row)}. Correct all such rows, and try again.`
    case 'rows':
      return (
        `Column ${JSON.stringify(of)} of ${table} cannot be added: it takes no NULL and has no default, so that the rows that are there ` +
        'would have no value. Give it a default, or let it be NULL first and fill it.'
      )
  }
}

function text(row: Row): string {
  if (Object.keys(row).length === 0) return 'a row with a number that this driver does not give'
  const all = JSON.stringify(row, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value,
  )
  return all.length > 200 ? `${all.slice(0, 197)}...` : all
}

/** An index that a build has left behind under the name is used for nothing, and in the way. */
function* dropUnfinished(session: HostSession, step: PlanStep, engine: EngineName): Steps<void> {
  if (engine !== 'postgresql' || step.object === undefined) return
  const rows = yield* wait(
    session.query(
      `select n.nspname as namespace from pg_index i join pg_class c on c.oid = i.indexrelid
       join pg_namespace n on n.oid = c.relnamespace join pg_class t on t.oid = i.indrelid
       where not i.indisvalid and c.relname = $1 and t.relname = $2
       and n.nspname = coalesce($3, current_schema())`,
      [step.object, step.table, step.schema ?? null],
    ),
  )
  for (const { namespace } of rows) {
    const name = `${quoteIdentifier(String(namespace), engine)}.${quoteIdentifier(step.object, engine)}`
    yield* wait(session.run(`drop index ${step.transactional ? '' : 'concurrently '}${name}`))
  }
}

function* countForRebuild(
  session: HostSession,
  { kind, table, schema }: PlanStep,
  engine: EngineName,
): Steps<number | undefined> {
  if (kind !== 'rebuildTable') return undefined
  const name = tableNameSql({ name: table, ...(schema !== undefined && { schema }) }, engine)
  const [row] = yield* wait(session.query(`select count(*) as n from ${name}`))
  return Number(row?.['n'])
}
