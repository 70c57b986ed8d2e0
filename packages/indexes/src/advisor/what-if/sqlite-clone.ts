import { quoteIdentifier } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import { createIndexSql } from '../../sql/print-table.ts'
import type { Candidate, TableIndex } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'
import { countParameters } from '../text/placeholders.ts'
import type { Plan, PlannedQuery, Planner } from './planner.ts'
import type { SqliteClient } from './sqlite-client.ts'
import { costOfPlan, type PlanRow } from './sqlite-plan.ts'

/**
 * An empty copy of a schema in memory, whose statistics are those of a sample: SQLite's own planner says on it how queries
 * would run. Nothing is created in the user's database, and no row is copied.
 */
export class SqliteClone implements Planner {
  readonly method = 'clone'
  readonly engine = 'sqlite'
  readonly unit = 1
  // Whether SQLite skips over the first key of an index hangs on these: of 67 rows and of 80 it thinks differently.
  readonly doubts: readonly number[] = [0.6, 1.7]
  readonly #client: SqliteClient
  readonly #tables: ReadonlyMap<string, SampledTable>
  readonly #candidates = new Map<string, Candidate>()
  readonly #statements = new Map<
    string,
    { readonly statement: ReturnType<SqliteClient['prepare']>; readonly count: number }
  >()
  #doubt = 1
  readonly #insert: (table: string, index: string | null, stat: string) => unknown
  readonly #update: (stat: string, index: string) => unknown

  private constructor(client: SqliteClient, tables: ReadonlyMap<string, SampledTable>) {
    this.#client = client
    this.#tables = tables
    const insert = client.prepare('insert into sqlite_stat1 (tbl, idx, stat) values (?, ?, ?)')
    this.#insert = (table, index, stat) => insert.run(table, index, stat)
    const update = client.prepare('update sqlite_stat1 set stat = ? where idx = ?')
    this.#update = (stat, index) => update.run(stat, index)
  }

  /** Closes the client also when it fails. */
  static async create(
    client: SqliteClient,
    session: HostSession,
    tables: ReadonlyMap<string, SampledTable>,
  ): Promise<SqliteClone> {
    try {
      const objects = await session.query(
        `select name, sql from sqlite_schema where sql is not null and name not like 'sqlite\\_%' escape '\\'
         and type in ('table', 'index', 'view') order by case type when 'table' then 0 when 'view' then 1 else 2 end, rowid`,
      )
      for (const { sql } of objects) {
        try {
          client.exec(String(sql))
        } catch {
          // Of a module, function or collation that only the user's connection has: its queries cannot be planned.
        }
      }
      client.exec('analyze')
      // Nothing of it is to last: one transaction for all that follows.
      client.exec('begin')
      client.exec('delete from sqlite_stat1')
      const clone = new SqliteClone(client, tables)
      clone.#describeTables()
      return clone
    } catch (error) {
      client.close()
      throw error
    }
  }

  plan(query: PlannedQuery, candidates: readonly Candidate[], doubt: number): Plan | undefined {
    this.#set(candidates, doubt)
    let rows: readonly PlanRow[]
    try {
      rows = this.#explain(query)
    } catch {
      return undefined
    }
    return costOfPlan(rows, query, this.#tables, this.#candidates)
  }

  close(): void {
    this.#client.close()
  }

  #explain({ sql, parameters }: PlannedQuery): readonly PlanRow[] {
    // Each that was prepared makes every change of the schema slower, until it is collected.
    const known = this.#statements.get(sql) ?? {
      statement: this.#client.prepare(`explain query plan ${sql}`),
      count: countParameters(sql),
    }
    this.#statements.set(sql, known)
    const { statement, count } = known
    const given = parameters?.length === count ? parameters.map(bindable) : Array(count).fill(null)
    return statement.all(...given) as PlanRow[]
  }

  #describeTables(): void {
    for (const { name, indexes, statistics } of this.#tables.values()) {
      this.#insert(name, null, String(Math.round(statistics.rows)))
      for (const index of indexes)
        if (index.name !== '') this.#insert(name, index.name, statOf(index, this.#tables))
    }
    this.#client.exec('analyze sqlite_schema')
  }

  /** Makes the candidates be there, and no others. */
  #set(candidates: readonly Candidate[], doubt: number): void {
    const wanted = new Set(candidates.map(({ name }) => name))
    let isChanged = false
    for (const { name } of this.#candidates.values()) {
      if (wanted.has(name)) continue
      this.#client.exec(`drop index ${quoteIdentifier(name, 'sqlite')}`)
      this.#candidates.delete(name)
      isChanged = true
    }
    for (const candidate of candidates) {
      if (this.#candidates.has(candidate.name)) continue
      const { definition } = this.#tables.get(candidate.table)!
      const named = { ...candidate.index, name: candidate.name }
      this.#client.exec(createIndexSql(definition, named, 'sqlite'))
      this.#insert(candidate.table, candidate.name, statOf(candidate, this.#tables, this.#doubt))
      this.#candidates.set(candidate.name, candidate)
      isChanged = true
    }
    if (doubt !== this.#doubt) {
      for (const candidate of this.#candidates.values())
        this.#update(statOf(candidate, this.#tables, doubt), candidate.name)
      this.#doubt = doubt
      isChanged = true
    }
    if (isChanged) this.#client.exec('analyze sqlite_schema')
  }
}

/** As ANALYZE would write it: https://www.sqlite.org/fileformat2.html#the_sqlite_stat1_table */
function statOf(index: TableIndex, tables: ReadonlyMap<string, SampledTable>, doubt = 1): string {
  const { statistics } = tables.get(index.table)!
  const rows = Math.max(1, Math.round(statistics.rows * (index.partial?.share ?? 1)))
  const each = index.keys.map((_, at) => {
    if (index.index.unique && at === index.keys.length - 1) return 1
    const distinct = statistics.distinct(index.keys.slice(0, at + 1).map(({ key }) => key))
    const each = rows / Math.min(rows, distinct)
    const doubted = at === 0 ? each : each * doubt
    // It rounds up, but takes what is hardly more than 1 for 1.
    return Math.min(rows, Math.max(1, doubted <= 1.1 ? 1 : Math.ceil(doubted)))
  })
  return [rows, ...each].join(' ')
}

/** What SQLite takes, of what ORMs are given. */
function bindable(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value === undefined || value === null) return null
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object' && !(value instanceof Uint8Array)) return JSON.stringify(value)
  return value
}
