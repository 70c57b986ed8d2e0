/** From a workload to advice. Over 300 lines, one subject: the order of the steps, and what each hands to the next. */
import { createHash } from 'node:crypto'
import {
  attachSuppressed,
  type EngineName,
  engineTraits,
  invalidOption,
  KeelsonError,
  quoteIdentifier,
  takeSteps,
  wait,
} from '@keelson/core'
import type { Host, HostSession } from '../host/host.ts'
import { introspectTables } from '../introspect/introspect.ts'
import type { Expression } from '../ir/expression.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { expressionSql } from '../sql/print-expression.ts'
import { createIndexSql } from '../sql/print-index.ts'
import { type Candidate, indexId } from './candidates/table-index.ts'
import { proposeIndexes } from './candidates/propose.ts'
import { isOwnStatement, marked } from './capture/own-statements.ts'
import type { AdvisorQuery, AdvisorWorkload } from './capture/workload.ts'
import { type AdviseOptions, type AdviseSettings, adviseSettings } from './options.ts'
import { adviceFrom } from './report/advice-from.ts'
import type { AdviceRefusal, IndexAdvice } from './report/advice.ts'
import { type SampledTable, sampledTable } from './sampled-table.ts'
import { type CandidatePrice, selectIndexes } from './select/select-indexes.ts'
import { type WeighedQuery, WorkloadCost } from './select/workload-cost.ts'
import { columnOfKey, keyText, type QueryShape } from './shape/query-shape.ts'
import { type FindTable, shapeOf } from './shape/shape-of.ts'
import type { Operand } from './shape/statement.ts'
import { readSample } from './statistics/sample.ts'
import { TableStatistics } from './statistics/table-statistics.ts'
import { commonText, executable } from './text/placeholders.ts'
import { TextReader } from './text/read-text.ts'
import { loadSqlParser } from './text/sql-parser.ts'
import { refuseForDuckDB } from './what-if/duckdb-refusals.ts'
import { duckdbUsesIndex } from './what-if/duckdb-verify.ts'
import type { Planner, PlannedQuery } from './what-if/planner.ts'
import { CreatingPlanner, HypopgPlanner } from './what-if/postgresql.ts'
import { RulesPlanner } from './what-if/rules.ts'
import { SqliteClone } from './what-if/sqlite-clone.ts'
import { openSqliteInMemory } from './what-if/sqlite-client.ts'
import { WriteLoad } from './write-load.ts'
import { writtenRows } from './written-rows.ts'

const where = 'adviseIndexes()'

/**
 * Says which indexes a workload lacks.
 *
 * @throws {OptionError} for an option that is not understood
 * @throws {KeelsonError} `HYPOPG_MISSING` where it is asked for and not there
 */
export async function advise(
  given: Host,
  workload: AdvisorWorkload,
  options: AdviseOptions,
): Promise<IndexAdvice> {
  const settings = adviseSettings(where, options)
  const host = marked(given)
  const definitions = await takeSteps(
    introspectTables(
      host,
      host.engine,
      settings.schema === undefined ? {} : { schema: settings.schema },
    ),
  )
  const read = await readQueries(host, workload, definitions, settings)
  const tables = await sampleTables(host, definitions, read.queries, settings)
  const shapes = read.queries.flatMap(({ instances }) => instances.map(({ shape }) => shape))
  const writes = new WriteLoad(read.queries, writtenRows(workload, read.databases))
  const proposed = proposeIndexes(shapes, {
    engine: host.engine,
    maxKeys: settings.maxKeys,
    tables,
  })
  const refused: AdviceRefusal[] = []
  const candidates = proposed.filter((candidate) => {
    const refusal = refuse(candidate, host, tables, shapes, settings)
    if (refusal !== undefined) refused.push(refusal)
    return refusal === undefined
  })
  return withPlanner(host, tables, candidates, settings, async (planner) => {
    const cost = new WorkloadCost(planner, read.queries)
    const price: CandidatePrice = {
      withoutIndexesNs: withoutIndexes(host.engine, tables, read.queries),
      writeNs: (candidate) => writes.nsFor(candidate),
      sizeShare: ({ table, bytes }) => bytes / Math.max(1, tables.get(table)!.statistics.bytes),
    }
    const selected = await selectIndexes(candidates, cost, price, {
      budget: settings.budgetBytes,
      maxPerTable: settings.maxPerTable,
      maxRegression: settings.maxRegression,
      minGain: settings.minGain,
      minCallGainNs: settings.minCallGainNs,
    })
    const verified = new Map<Candidate, boolean>()
    if (settings.verify === 'explainAnalyze' && host.engine === 'duckdb')
      for (const candidate of selected.chosen) {
        const is = await verify(host, candidate, tables, read.queries)
        if (is !== undefined) verified.set(candidate, is)
      }
    const chosen = selected.chosen.filter((candidate) => verified.get(candidate) !== false)
    const selection = { ...selected, chosen, after: await cost.of(chosen) }
    return adviceFrom({
      engine: host.engine,
      planner,
      cost,
      selection,
      tables,
      writes,
      refused,
      unread: read.unread,
      parser: read.parser,
      verified,
      minRows: settings.minRows,
    })
  })
}

interface ReadQueries {
  readonly queries: readonly WeighedQuery[]
  readonly unread: { readonly queries: number; readonly calls: number }
  readonly parser: IndexAdvice['workload']['parser']
  /** Whose queries they are, where that is known. */
  readonly databases: ReadonlySet<string>
}

async function readQueries(
  host: Host,
  workload: AdvisorWorkload,
  definitions: readonly TableDefinition[],
  { database }: AdviseSettings,
): Promise<ReadQueries> {
  const wanted = workload.queries
    .filter((query) => database === undefined || query.database === database)
    .filter(({ system }) => system === undefined || !isOther(system, host.engine))
    .map((query) => ({ ...query, text: query.sql ?? query.text }))
    .filter(({ text }) => !isOwnStatement(text))
    // So that the advice is the same whatever their order.
    .toSorted((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
  const needsParser = wanted.some(({ statement }) => statement === undefined)
  const parser = needsParser ? await loadSqlParser() : undefined
  const reader = new TextReader(parser, host.engine)
  const find = finder(definitions, host)
  const spell = speller(host)
  const queries = new Map<string, WeighedQuery>()
  const unread = { queries: 0, calls: 0 }
  for (const query of wanted) {
    const statement = query.statement ?? reader.read(query.text)
    if (statement === undefined) {
      unread.queries++
      unread.calls += query.calls
      continue
    }
    const sql = executable(query.text, host.traits.placeholder)
    const instances = samplesOf(query).map(({ parameters, statement: own }): PlannedQuery => {
      const shape = shapeOf(own ?? statement, find, spell, parameters)
      return { sql, parameters, shape }
    })
    const all =
      instances.length > 0
        ? instances
        : [{ sql, parameters: undefined, shape: shapeOf(statement, find, spell) }]
    const text = commonText(query.text)
    const same = queries.get(text)
    queries.set(text, {
      id: createHash('sha256').update(text).digest('hex').slice(0, 10),
      text,
      calls: query.calls + (same?.calls ?? 0),
      totalMs:
        query.totalMs === undefined && same?.totalMs === undefined
          ? undefined
          : (query.totalMs ?? 0) + (same?.totalMs ?? 0),
      affectedRows: (query.affectedRows ?? 0) + (same?.affectedRows ?? 0),
      instances: [...(same?.instances ?? []), ...all].slice(0, 10),
    })
  }
  const state = parser === undefined ? 'missing' : 'loaded'
  return {
    queries: [...queries.values()],
    unread,
    parser: needsParser ? state : 'notNeeded',
    databases: new Set(wanted.flatMap(({ database: name }) => name ?? [])),
  }
}

/** Names that are none of an engine say nothing: PGlite, libSQL and others speak as one of them. */
function isOther(system: string, engine: EngineName): boolean {
  return system !== engine && Object.hasOwn(engineTraits, system)
}

function samplesOf(query: AdvisorQuery): NonNullable<AdvisorQuery['samples']> {
  return query.samples ?? []
}

/** Finds a table by the name in a statement: with its schema or without, in the letters that the engine takes for equal. */
function finder(definitions: readonly TableDefinition[], host: Host): FindTable {
  const folded = (name: string): string =>
    host.engine === 'postgresql' ? name : name.toLowerCase()
  const tables = new Map(
    definitions.map(({ name, columns }) => {
      return [folded(name), { name, columns: new Set(columns.map((column) => column.name)) }]
    }),
  )
  return (name) => tables.get(folded(name)) ?? tables.get(folded(name.split('.').at(-1) ?? name))
}

/** SQLite finds an index over an expression only by the text that the query has for it. */
function speller(
  host: Host,
): (column: string, operand: Extract<Operand, { kind: 'json' }>) => Expression {
  return (column, { path, spelled }) => {
    const key: Expression = { kind: 'json', column, path, as: 'string' }
    const sql = quoteIdentifier(column, host.engine) + spelled
    try {
      if (expressionSql(key, host.engine).replaceAll(/^\(|\)$/g, '') === sql) return key
    } catch {
      // A key that the engine has no way to write as the printer does.
    }
    return { kind: 'unsafeSql', sql: host.engine === 'sqlite' ? sql : `(${sql})` }
  }
}

async function sampleTables(
  host: Host,
  definitions: readonly TableDefinition[],
  queries: readonly WeighedQuery[],
  { sampleRows }: AdviseSettings,
): Promise<ReadonlyMap<string, SampledTable>> {
  const keys = keysByTable(queries)
  const tables = new Map<string, SampledTable>()
  for (const definition of definitions) {
    const { name, schema, columns, indexes, primaryKey } = definition
    const asked = keys.get(name)
    if (asked === undefined) continue
    for (const { expression } of indexes.flatMap((index) => index.keys))
      asked.set(keyText(expression), expression)
    for (const column of primaryKey) asked.set(column, { kind: 'column', name: column })
    const names = new Set(columns.map((column) => column.name))
    const known = [...asked.values()].filter((key) => {
      const column = columnOfKey(key)
      return column === undefined || names.has(column)
    })
    const sample = await readSample(host, host.engine, {
      table: name,
      schema,
      columns: [...names],
      expressions: known.map((key) => expressionSql(key, host.engine)),
      size: sampleRows,
    })
    const statistics = new TableStatistics(sample, known)
    tables.set(name, sampledTable(definition, statistics, host.engine))
  }
  return tables
}

function keysByTable(queries: readonly WeighedQuery[]): Map<string, Map<string, Expression>> {
  const tables = new Map<string, Map<string, Expression>>()
  const keysOf = (table: string): Map<string, Expression> => {
    const known = tables.get(table) ?? new Map<string, Expression>()
    tables.set(table, known)
    return known
  }
  for (const { instances } of queries)
    for (const { shape } of instances)
      for (const scan of shape.scans) {
        const keys = keysOf(scan.table)
        const all = [
          ...scan.terms.map(({ key }) => key),
          ...scan.alternatives.flat(2).map(({ key }) => key),
          ...scan.sort.map(({ key }) => key),
          ...scan.group,
          ...[...(scan.columns ?? [])].map((name): Expression => ({ kind: 'column', name })),
        ]
        for (const key of all) keys.set(keyText(key), key)
      }
  return tables
}

/** What is not worth asking a planner about. */
function refuse(
  candidate: Candidate,
  host: Host,
  tables: ReadonlyMap<string, SampledTable>,
  shapes: readonly QueryShape[],
  { minRows }: AdviseSettings,
): AdviceRefusal | undefined {
  const table = tables.get(candidate.table)!
  const { rows } = table.statistics
  if (rows < minRows) {
    const why = `The table has ${Math.round(rows)} rows: reading all of them is as good.`
    return { table: table.name, index: candidate.id, code: 'SMALL_TABLE', why }
  }
  if (host.engine === 'duckdb') return refuseForDuckDB(candidate, table, shapes)
  try {
    createIndexSql(table.definition, candidate.index, host.engine)
    return undefined
  } catch (error) {
    return {
      table: table.name,
      index: indexId(table.name, candidate.index),
      code: 'UNSUPPORTED',
      why: (error as Error).message,
    }
  }
}

/** Nanoseconds of the workload if there were primary keys and constraints, and no other index. */
function withoutIndexes(
  engine: EngineName,
  tables: ReadonlyMap<string, SampledTable>,
  queries: readonly WeighedQuery[],
): number {
  const bare = Array.from(tables, ([name, table]) => {
    const indexes = table.indexes.filter(({ isConstraint }) => isConstraint)
    return [name, { ...table, indexes }] as const
  })
  const planner = new RulesPlanner(engine, new Map(bare))
  return queries.reduce((all, { calls, instances }) => {
    const costs = instances.map((instance) => planner.plan(instance, []).cost)
    return all + (calls * costs.reduce((sum, cost) => sum + cost, 0)) / Math.max(1, costs.length)
  }, 0)
}

/** Thrown to undo what PostgreSQL was made to try. */
class Undo extends Error {}

async function withPlanner<R>(
  host: Host,
  tables: ReadonlyMap<string, SampledTable>,
  candidates: readonly Candidate[],
  { whatIf, openSqlite }: AdviseSettings,
  use: (planner: Planner) => Promise<R>,
): Promise<R> {
  const closing = async (planner: Planner): Promise<R> => {
    let result: R
    try {
      result = await use(planner)
    } catch (error) {
      await Promise.resolve(planner.close()).catch((later: unknown) =>
        attachSuppressed(error, later),
      )
      throw error
    }
    await planner.close()
    return result
  }
  const { engine } = host
  if (engine !== 'postgresql' && (whatIf === 'hypopg' || whatIf === 'createAndRollBack'))
    invalidOption(where, 'whatIf', whatIf, `it on PostgreSQL alone; this is ${engine}`)
  if (engine === 'sqlite' && whatIf !== 'rules') {
    const client = await (openSqlite ?? openSqliteInMemory)()
    return closing(await SqliteClone.create(client, host, tables))
  }
  if (engine === 'postgresql' && whatIf !== 'rules') {
    const [server] = await host.query(
      `select current_setting('server_version_num')::integer as version,
         exists (select from pg_extension where extname = 'hypopg') as has_hypopg`,
    )
    const version = Number(server?.['version'])
    const hasHypopg = server?.['has_hypopg'] === true
    if (whatIf === 'createAndRollBack')
      return rolledBack(host, async (session) =>
        closing(await CreatingPlanner.create(session, version, tables, candidates)),
      )
    if (hasHypopg)
      return rolledBack(host, (session) => closing(new HypopgPlanner(session, version, tables)))
    if (whatIf === 'hypopg') {
      throw new KeelsonError(
        'HYPOPG_MISSING',
        `${where} was to ask PostgreSQL with hypopg, and this database does not have the extension. Install its package ` +
          "(postgresql-<version>-hypopg) and say `create extension hypopg`; or pass `whatIf: 'createAndRollBack'`, which " +
          "keeps others from writing meanwhile, or 'rules'. Nothing was changed.",
      )
    }
  }
  return closing(new RulesPlanner(engine, tables))
}

/** Runs in a transaction that is undone. */
async function rolledBack<R>(host: Host, use: (session: HostSession) => Promise<R>): Promise<R> {
  let result: { readonly is: R } | undefined
  const steps = host.atomically(function* (session) {
    result = { is: yield* wait(use(session)) }
    throw new Undo()
  })
  try {
    await takeSteps(steps)
  } catch (error) {
    if (!(error instanceof Undo)) throw error
  }
  return result!.is
}

async function verify(
  host: Host,
  candidate: Candidate,
  tables: ReadonlyMap<string, SampledTable>,
  queries: readonly WeighedQuery[],
): Promise<boolean | undefined> {
  const table = tables.get(candidate.table)!
  let found: boolean | undefined
  for (const query of queries.flatMap(({ instances }) => instances)) {
    const isAbout = query.shape.scans.some((scan) =>
      scan.terms.some(
        ({ key }) => scan.table === table.name && keyText(key) === candidate.keys[0]!.text,
      ),
    )
    if (!isAbout) continue
    const is = await duckdbUsesIndex(host, table, candidate, query, takeSteps)
    if (is === true) return true
    found ??= is
  }
  return found
}
