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
  readonly #tables: ReadonlyMap<string, SampledTable>
  /** Names of candidates by the names that hypopg gave to them. */
  readonly #named = new Map<string, string>()
  #present = ''

  constructor(session: Session, tables: ReadonlyMap<string, SampledTable>) {
    this.#session = session
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
    return explain(this.#session, query, (name) => this.#named.get(name) ?? name)
  }

  close(): void {
    void Promise.resolve(this.#session.query('select hypopg_reset()')).catch(() => {})
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
  readonly #all: readonly Candidate[]

  private constructor(session: Session, all: readonly Candidate[]) {
    this.#session = session
    this.#all = all
  }

  /** @param session of a transaction that the caller rolls back */
  static async create(
    session: Session,
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
    return new CreatingPlanner(session, candidates)
  }

  async plan(query: PlannedQuery, candidates: readonly Candidate[]): Promise<Plan | undefined> {
    const wanted = new Set(candidates.map(({ name }) => name))
    const tables = new Set(query.shape.scans.map(({ table }) => table))
    const absent = this.#all.filter(({ name, table }) => !wanted.has(name) && tables.has(table))
    await this.#session.run('savepoint keelson_what_if')
    try {
      for (const { name } of absent)
        await this.#session.run(`drop index ${quoteIdentifier(name, 'postgresql')}`)
      return await explain(this.#session, query, (name) => name)
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
  { sql, parameters }: PlannedQuery,
  named: (name: string) => string,
): Promise<Plan | undefined> {
  const text = executable(sql, '$n')
  const isKnown = parameters !== undefined && parameters.length === countParameters(text)
  let rows: readonly Row[]
  try {
    // In a transaction a statement that fails would end it.
    await session.run('savepoint keelson_explain')
    rows = isKnown
      ? await session.query(`explain (format json) ${text}`, parameters)
      : await session.query(`explain (format json, generic_plan) ${text}`)
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

function tableSql(schema: string | undefined, name: string): string {
  const quoted = quoteIdentifier(name, 'postgresql')
  return schema === undefined ? quoted : `${quoteIdentifier(schema, 'postgresql')}.${quoted}`
}
