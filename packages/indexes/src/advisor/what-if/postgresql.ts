import { quoteIdentifier } from '@keelson/core'
import type { HostSession, Row } from '../../host/host.ts'
import { createIndexSql } from '../../sql/print-table.ts'
import type { Candidate } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'
import { countParameters, executable } from '../text/placeholders.ts'
import type { Plan, PlannedQuery, Planner } from './planner.ts'

/** A session of one connection, on which statements are run one after the other. */
type Session = Pick<HostSession, 'query' | 'run'>

/** PostgreSQL's own planner, with indexes that hypopg makes it believe in. Needs one connection for all statements. */
export class HypopgPlanner implements Planner {
  readonly method = 'hypopg'
  readonly engine = 'postgresql'
  readonly unit: number = unitOfCost
  readonly doubts: readonly number[] = []
  readonly #session: Session
  readonly #version: number
  readonly #tables: ReadonlyMap<string, SampledTable>
  /** Names of candidates by the names that hypopg gave to them. */
  readonly #named = new Map<string, string>()
  #present = ''

  /** @param version `server_version_num` */
  constructor(session: Session, version: number, tables: ReadonlyMap<string, SampledTable>) {
    this.#session = session
    this.#version = version
    this.#tables = tables
  }

  async plan(query: PlannedQuery, candidates: readonly Candidate[]): Promise<Plan | undefined> {
    const wanted = candidates.map(({ name }) => name).join(' ')
    if (wanted !== this.#present) {
      await this.#session.query('select hypopg_reset()')
      this.#named.clear()
      for (const candidate of candidates) {
        const { definition } = this.#tables.get(candidate.table)!
        const sql = createIndexSql(
          definition,
          { ...candidate.index, name: candidate.name },
          'postgresql',
        )
        const [made] = await this.#session.query('select indexname from hypopg_create_index($1)', [
          sql,
        ])
        this.#named.set(String(made?.['indexname']), candidate.name)
      }
      this.#present = wanted
    }
    return explain(this.#session, this.#version, query, (name) => this.#named.get(name) ?? name)
  }

  /** They are of the connection, and would outlast the transaction. */
  async close(): Promise<void> {
    await this.#session.query('select hypopg_reset()')
  }
}

/**
 * PostgreSQL's own planner, with indexes that are created in a transaction which is rolled back: each once; those that are
 * not to be there are dropped behind a savepoint. Until then nobody writes the tables, and at times nobody reads them.
 */
export class CreatingPlanner implements Planner {
  readonly method = 'createAndRollBack'
  readonly engine = 'postgresql'
  readonly unit: number = unitOfCost
  readonly doubts: readonly number[] = []
  readonly #session: Session
  readonly #version: number
  readonly #all: readonly Candidate[]

  private constructor(session: Session, version: number, all: readonly Candidate[]) {
    this.#session = session
    this.#version = version
    this.#all = all
  }

  /**
   * @param session of a transaction that the caller rolls back
   * @param version `server_version_num`
   */
  static async create(
    session: Session,
    version: number,
    tables: ReadonlyMap<string, SampledTable>,
    candidates: readonly Candidate[],
  ): Promise<CreatingPlanner> {
    for (const candidate of candidates) {
      const { definition } = tables.get(candidate.table)!
      const index = { ...candidate.index, name: candidate.name }
      await session.run(createIndexSql(definition, index, 'postgresql'))
    }
    // Expressions have statistics of their own, from when there is an index over them.
    for (const { definition } of new Set(candidates.map(({ table }) => tables.get(table)!)))
      await session.run(`analyze ${tableSql(definition.schema, definition.name)}`)
    return new CreatingPlanner(session, version, candidates)
  }

  async plan(query: PlannedQuery, candidates: readonly Candidate[]): Promise<Plan | undefined> {
    const wanted = new Set(candidates.map(({ name }) => name))
    const tables = new Set(query.shape.scans.map(({ table }) => table))
    const absent = this.#all.filter(({ name, table }) => !wanted.has(name) && tables.has(table))
    await this.#session.run('savepoint keelson_what_if')
    try {
      for (const { name } of absent)
        await this.#session.run(`drop index ${quoteIdentifier(name, 'postgresql')}`)
      return await explain(this.#session, this.#version, query, (name) => name)
    } finally {
      await this.#session.run('rollback to savepoint keelson_what_if')
      await this.#session.run('release savepoint keelson_what_if')
    }
  }

  close(): void {}
}

/** A page read in sequence is 1; a machine of today takes about so many nanoseconds for it, rows included. */
const unitOfCost = 8_000

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Total Cost': number
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly Plans?: readonly PlanNode[]
}

async function explain(
  session: Session,
  version: number,
  { sql, parameters }: PlannedQuery,
  named: (name: string) => string,
): Promise<Plan | undefined> {
  const text = executable(sql, '$n')
  const count = countParameters(text)
  const isKnown = parameters !== undefined && parameters.length === count
  let rows: readonly Row[]
  try {
    // In a transaction a statement that fails would end it.
    await session.run('savepoint keelson_explain')
    if (isKnown) rows = await session.query(`explain (format json) ${text}`, parameters)
    else if (version >= 160_000)
      rows = await session.query(`explain (format json, generic_plan) ${text}`)
    else rows = await explainPrepared(session, text, count)
    await session.run('release savepoint keelson_explain')
  } catch {
    await session.run('rollback to savepoint keelson_explain')
    return undefined
  }
  const [row] = rows
  const found: unknown = Object.values(row ?? {})[0]
  const [plan] = (typeof found === 'string' ? JSON.parse(found) : found) as [{ Plan: PlanNode }]
  const lines: string[] = []
  const uses = new Set<string>()
  const scans = new Set<string>()
  const visit = (node: PlanNode, depth: number): void => {
    const index = node['Index Name'] === undefined ? undefined : named(node['Index Name'])
    const relation = node['Relation Name']
    if (index !== undefined) uses.add(index)
    if (node['Node Type'].endsWith('Seq Scan') && relation !== undefined) scans.add(relation)
    const on = [relation && ` on ${relation}`, index && ` using ${index}`].filter(Boolean).join('')
    lines.push(`${'  '.repeat(depth)}${node['Node Type']}${on} (cost ${node['Total Cost']})`)
    for (const child of node.Plans ?? []) visit(child, depth + 1)
  }
  visit(plan.Plan, 0)
  const cost = plan.Plan['Total Cost']
  return { cost, worst: cost, uses: [...uses].toSorted(), scans: [...scans].toSorted(), lines }
}

/** What `generic_plan` is from PostgreSQL 16 on. */
async function explainPrepared(
  session: Session,
  text: string,
  count: number,
): Promise<readonly Row[]> {
  await session.run('set local plan_cache_mode = force_generic_plan')
  await session.run(`prepare keelson_plan as ${text}`)
  try {
    const values = count === 0 ? '' : `(${Array(count).fill('null').join(', ')})`
    return await session.query(`explain (format json) execute keelson_plan${values}`)
  } finally {
    await session.run('deallocate keelson_plan')
  }
}

function tableSql(schema: string | undefined, name: string): string {
  const quoted = quoteIdentifier(name, 'postgresql')
  return schema === undefined ? quoted : `${quoteIdentifier(schema, 'postgresql')}.${quoted}`
}
