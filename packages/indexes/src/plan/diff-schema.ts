/** Over 300 lines, being one subject: one plan, in the order of its steps: what is created, altered, indexed and dropped, each before what needs it gone or there. */
import {
  checkOptionNames,
  type EngineName,
  invalidOption,
  quoteIdentifier,
  type Steps,
  takeSteps,
  wait,
} from '@keelson/core'
import { UnsupportedChangeError } from '../errors.ts'
import type { Host, HostSession } from '../host/host.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { Refusal } from '../ir/refusal.ts'
import type { ForeignKeyDefinition, TableDefinition } from '../ir/table-definition.ts'
import { checkTables } from '../names/check-tables.ts'
import { foreignKeyName } from '../names/constraint-name.ts'
import { resolveIndexes } from '../rules/resolve-indexes.ts'
import { canonicalTable } from '../sql/canonical.ts'
import {
  createIndexSql,
  createTableSql,
  dropIndexSql,
  dropTableSql,
  foreignKeySql,
} from '../sql/print-table.ts'
import { dialects } from '../sql/dialects.ts'
import { tableNameSql } from '../sql/table-name.ts'
import { alterTable } from './change/change.ts'
import { withoutForeignKey } from './change/changed-table.ts'
import { needsColumn } from './change/columns-of.ts'
import { duplicateCheck } from './change/prechecks.ts'
import { checkConcurrently, inNoTransaction } from './concurrently.ts'
import { indexEstimate, lockingRisk } from './estimate.ts'
import { partsOf, type TableModel } from './fingerprint.ts'
import { tableKey } from '../ir/table-key.ts'
import { readLiveTables } from './live-schema.ts'
import { type LiveText, readLiveTexts } from './live-text.ts'
import { inOrderOfReference } from '../ir/table-order.ts'
import { PlanBuilder } from './plan-builder.ts'
import { checkSchemaEngine, type SchemaEngine } from './schema-engine.ts'
import type { SchemaPlan } from './schema-plan.ts'
import { differenceOf, isAltered, type TableDifference } from './table-difference.ts'
import { unchangedTables } from './unchanged-tables.ts'

export interface DiffOptions {
  /**
   * Let others write while indexes are created and dropped, which is slower and in no transaction. PostgreSQL.
   * @default false
   */
  readonly concurrently?: boolean | undefined
}

const where = 'diffSchema()'

/** What a database needs for it to have the tables as they are defined. */
export async function runDiff(
  host: Host,
  tables: readonly TableDefinition[],
  options: DiffOptions = {},
): Promise<SchemaPlan> {
  checkOptionNames(where, options, ['concurrently'])
  const { concurrently = false } = options
  if (typeof concurrently !== 'boolean')
    invalidOption(where, 'concurrently', concurrently, 'true or false')
  checkConcurrently(where, concurrently, host.engine)
  const { plan, desired, refused, unmanaged } = await takeSteps(
    planSteps(host, where, host.engine, tables),
  )
  return {
    v: 1,
    engine: plan.engine,
    fingerprint: plan.fingerprint,
    tables: desired.map(({ name, schema }) => ({ name, ...(schema !== undefined && { schema }) })),
    steps: concurrently ? plan.steps.map(inNoTransaction) : plan.steps,
    refused,
    unmanaged,
  }
}

/** What a comparison has found. */
interface PlannedSteps {
  readonly plan: PlanBuilder
  /** The tables as the engine is to keep them. */
  readonly desired: readonly TableDefinition[]
  readonly refused: readonly Refusal[]
  readonly unmanaged: readonly string[]
}

/**
 * Compares what a database has with the definitions.
 *
 * @param where the function that was called, for messages
 * @throws {UnsupportedByEngineError} for MySQL
 */
export function* planSteps(
  session: HostSession,
  where: string,
  engine: EngineName,
  tables: readonly TableDefinition[],
): Steps<PlannedSteps> {
  checkSchemaEngine(where, engine)
  const { desired, refused } = definedTables(tables, engine)
  const live = yield* liveTables(session, engine, desired)
  const plan = new PlanBuilder(engine, live)
  const missing: TableDefinition[] = []
  const differences: TableDifference[] = []
  for (const table of desired) {
    const found = live.get(tableKey(table))
    if (found === undefined) missing.push(table)
    else if (found !== table && partsOf(found) !== partsOf(table))
      differences.push(differenceOf(found, table, engine))
  }
  const unmanaged = differences.flatMap(({ unmanagedIndexes }) =>
    unmanagedIndexes.flatMap(({ name }) => name ?? []),
  )
  const altered = differences.filter(isDifferent)
  if (missing.length > 0 || altered.length > 0) {
    checkIndexNames(altered)
    checkSpelling(altered, engine)
    const texts = yield* readLiveTexts(
      session,
      engine,
      altered.map(({ live: table }) => table),
    )
    const later = createTables(missing, plan)
    const altersConstraints = altered.some(isAltered)
      ? yield* canAlterConstraints(session, engine)
      : false
    const referenced = yield* referencedTables(session, engine, altered)
    for (const difference of altered) {
      dropIndexesOfRemovedColumns(difference, texts, plan)
      if (!isAltered(difference)) continue
      const key = tableKey(difference.live)
      alterTable[engine](
        {
          difference,
          text: texts.get(key) ?? noText,
          isReferenced: referenced.has(key),
          altersConstraints,
        },
        plan,
      )
    }
    for (const { table, key } of [...later, ...laterKeys(altered, engine)])
      addForeignKey(table, key, plan)
    for (const table of missing)
      for (const index of table.indexes)
        // One behind a UNIQUE constraint comes with its table.
        if (index.constraint !== true) createIndex(table, index, 0, plan)
    for (const { desired: table, addedIndexes, live: before } of altered)
      for (const index of addedIndexes)
        createIndex(table, index, texts.get(tableKey(before))?.rows ?? 0, plan)
    for (const difference of altered) dropIndexes(difference, texts, plan)
  }
  return { plan, desired, refused, unmanaged }
}

/** What the database has of the tables; the definition itself where that is, word for word, what was created. */
function* liveTables(
  session: HostSession,
  engine: SchemaEngine,
  desired: readonly TableDefinition[],
): Steps<TableModel> {
  const unchanged = yield* unchangedTables(session, engine, desired)
  const others = desired.filter((table) => !unchanged.has(table))
  const read = yield* readLiveTables(session, engine, others)
  const known = Array.from(unchanged, (table) => [tableKey(table), table] as const)
  return new Map([...known, ...read])
}

const noText: LiveText = { table: undefined, indexes: new Map(), triggers: [], rows: 0 }

/** The tables as the engine keeps them, with the indexes that they get. */
function definedTables(
  tables: readonly TableDefinition[],
  engine: EngineName,
): { readonly desired: readonly TableDefinition[]; readonly refused: readonly Refusal[] } {
  const refused: Refusal[] = []
  const desired = tables.map((table) => {
    const { indexes, refused: ofTable } = resolveIndexes(table, engine)
    refused.push(...ofTable)
    return canonicalTable({ ...table, indexes, queries: [] }, engine)
  })
  checkTables(desired, engine)
  return { desired, refused }
}

function isDifferent(difference: TableDifference): boolean {
  const { addedIndexes, removedIndexes } = difference
  return isAltered(difference) || addedIndexes.length > 0 || removedIndexes.length > 0
}

/** An index of the name may be another one: only a name that was made of its definition tells what it is. */
function checkIndexNames(differences: readonly TableDifference[]): void {
  for (const { live, addedIndexes } of differences) {
    for (const { name } of addedIndexes) {
      if (name === undefined || !live.indexes.some((index) => index.name === name)) continue
      throw new UnsupportedChangeError(
        live.name,
        name,
        `Table ${JSON.stringify(live.name)} has an index ${JSON.stringify(name)} already, which is another one than the one defined ` +
          'under that name. Drop or rename it yourself, or leave out the `name` of the definition. Nothing was changed.',
      )
    }
  }
}

/** To drop a column and add it under the same name in other letters would lose what is in it. */
function checkSpelling(differences: readonly TableDifference[], engine: EngineName): void {
  const { foldedName } = dialects[engine]
  for (const { live, addedColumns, removedColumns } of differences) {
    const removed = new Map(removedColumns.map(({ name }) => [foldedName(name), name]))
    for (const { name } of addedColumns) {
      const before = removed.get(foldedName(name))
      if (before === undefined) continue
      throw new UnsupportedChangeError(
        live.name,
        name,
        `Table ${JSON.stringify(live.name)} has the column ${JSON.stringify(before)}, and the definition has ${JSON.stringify(name)}, which ` +
          `is the same name to ${engine}. Write it alike, or rename the column yourself. Nothing was changed.`,
      )
    }
  }
}

interface LaterKey {
  readonly table: TableDefinition
  readonly key: ForeignKeyDefinition
}

/** @returns the foreign keys that have to wait, since their tables refer to each other in a circle */
function createTables(missing: readonly TableDefinition[], plan: PlanBuilder): readonly LaterKey[] {
  const { engine } = plan
  const later: LaterKey[] = []
  const ordered = inOrderOfReference(missing)
  ordered.forEach((table, at) => {
    const isLater = ({ referencedTable }: ForeignKeyDefinition): boolean =>
      ordered
        .slice(at + 1)
        .some(({ name, schema }) => name === referencedTable && schema === table.schema)
    // SQLite looks for the parent when there is a row.
    const waiting = engine === 'sqlite' ? [] : table.foreignKeys.filter(isLater)
    if (waiting.length > 0 && engine === 'duckdb') refuseCircle(table, waiting[0]!)
    later.push(...waiting.map((key) => ({ table, key })))
    const created = {
      ...table,
      indexes: [],
      foreignKeys: table.foreignKeys.filter((key) => !waiting.includes(key)),
    }
    plan.add(
      table,
      {
        kind: 'createTable',
        risk: 'safe',
        why: 'There is none of that name.',
        sql: createTableSql(created, engine),
        down: dropTableSql(created, engine),
      },
      created,
    )
  })
  return later
}

function refuseCircle({ name }: TableDefinition, { referencedTable }: ForeignKeyDefinition): never {
  throw new UnsupportedChangeError(
    name,
    undefined,
    `Tables ${JSON.stringify(name)} and ${JSON.stringify(referencedTable)} refer to each other, and DuckDB adds no foreign key to a table that is ` +
      'there. Leave out one of the foreign keys. Nothing was changed.',
  )
}

/** Others get theirs by a rebuild. */
function laterKeys(differences: readonly TableDifference[], engine: EngineName): LaterKey[] {
  if (engine === 'sqlite' || engine === 'duckdb') return []
  return differences.flatMap(({ desired, addedForeignKeys }) =>
    addedForeignKeys.map((key) => ({ table: desired, key })),
  )
}

function addForeignKey(table: TableDefinition, key: ForeignKeyDefinition, plan: PlanBuilder): void {
  const { engine } = plan
  const name = foreignKeyName(table, key)
  const at = `alter table ${tableNameSql(table, engine)}`
  const current = plan.table(table) ?? table
  plan.add(
    table,
    {
      kind: 'addForeignKey',
      object: name,
      risk: 'locking',
      why: 'The definition asks for it.',
      sql: [`${at} add ${foreignKeySql(table, key, engine)}`],
      down: [`${at} drop constraint ${quoteIdentifier(name, engine)}`],
    },
    { ...withoutForeignKey(current, key), foreignKeys: [...current.foreignKeys, key] },
  )
}

function createIndex(
  table: TableDefinition,
  index: IndexDefinition,
  rows: number,
  plan: PlanBuilder,
): void {
  const { engine } = plan
  const current = plan.table(table) ?? table
  const estimate = indexEstimate(table, index, rows, engine)
  plan.add(
    table,
    {
      kind: 'createIndex',
      ...(index.name !== undefined && { object: index.name }),
      risk: lockingRisk(estimate),
      why: index.unique
        ? 'The definition asks for it to be unique.'
        : 'The definition asks for it.',
      sql: [createIndexSql(table, index, engine)],
      down: [dropIndexSql(table, index, engine)],
      ...(rows > 0 && { estimate }),
      ...(rows > 0 && index.unique && { prechecks: [duplicateCheck(table, index, engine)] }),
    },
    { ...current, indexes: [...current.indexes, index] },
  )
}

/** An index goes before its column does. @throws {UnsupportedChangeError} where it is somebody else's */
function dropIndexesOfRemovedColumns(
  { live, removedColumns, unmanagedIndexes, removedIndexes }: TableDifference,
  texts: ReadonlyMap<string, LiveText>,
  plan: PlanBuilder,
): void {
  const isOf = (index: IndexDefinition): boolean =>
    removedColumns.some(({ name }) => needsColumn(index, name))
  const foreign = unmanagedIndexes.find(isOf)
  if (foreign !== undefined) {
    throw new UnsupportedChangeError(
      live.name,
      foreign.name,
      `Table ${JSON.stringify(live.name)} has the index ${JSON.stringify(foreign.name)}, which was not created from a definition, over a ` +
        'column that is defined no more. Drop the index yourself, or keep the column in the definition. Nothing was changed.',
    )
  }
  for (const index of removedIndexes.filter(isOf))
    dropIndex(live, index, 'Its column is defined no more.', texts, plan)
}

function dropIndexes(
  { live, removedIndexes }: TableDifference,
  texts: ReadonlyMap<string, LiveText>,
  plan: PlanBuilder,
): void {
  for (const index of removedIndexes) {
    const isThere = plan.table(live)?.indexes.some(({ name }) => name === index.name) === true
    if (isThere)
      dropIndex(
        live,
        index,
        'No definition asks for it any more, or another one does its work.',
        texts,
        plan,
      )
  }
}

function dropIndex(
  table: TableDefinition,
  index: IndexDefinition,
  why: string,
  texts: ReadonlyMap<string, LiveText>,
  plan: PlanBuilder,
): void {
  const { engine } = plan
  const current = plan.table(table) ?? table
  const text = texts.get(tableKey(table))
  const created = text?.indexes.get(index.name ?? '')?.replace(/;\s*$/, '')
  plan.add(
    table,
    {
      kind: 'dropIndex',
      ...(index.name !== undefined && { object: index.name }),
      risk: 'safe',
      why,
      sql: [dropIndexSql(table, index, engine)],
      down: [created ?? createIndexSql(table, index, engine)],
    },
    { ...current, indexes: current.indexes.filter(({ name }) => name !== index.name) },
  )
}

/** `ALTER TABLE ... ADD CONSTRAINT`, `DROP CONSTRAINT`, `SET NOT NULL`: https://www.sqlite.org/releaselog/3_53_0.html */
function* canAlterConstraints(session: HostSession, engine: EngineName): Steps<boolean> {
  if (engine !== 'sqlite') return true
  const [row] = yield* wait(session.query('select sqlite_version() as version'))
  const [major = 0, minor = 0] = String(row?.['version']).split('.').map(Number)
  return major > 3 || (major === 3 && minor >= 53)
}

/** Which of the tables others refer to, by their keys. Asked where it makes a difference. */
function* referencedTables(
  session: HostSession,
  engine: EngineName,
  differences: readonly TableDifference[],
): Steps<ReadonlySet<string>> {
  const referenced = new Set<string>()
  if (engine !== 'duckdb' || !differences.some(isAltered)) return referenced
  const rows = yield* wait(
    session.query(
      `select distinct schema_name as schema, referenced_table as name, current_schema() as own from duckdb_constraints()
       where constraint_type = 'FOREIGN KEY' and database_name = current_database()`,
    ),
  )
  for (const { live } of differences) {
    const isIt = rows.some(
      (row) => row['name'] === live.name && row['schema'] === (live.schema ?? row['own']),
    )
    if (isIt) referenced.add(tableKey(live))
  }
  return referenced
}
