import { checkOptionNames, invalidOption } from '@keelson/core'
import type { SqliteClient } from './what-if/sqlite-client.ts'

/** What `adviseIndexes()` may be told. */
export interface AdviseOptions {
  /** The most megabytes that all proposals may take together. @default no limit */
  readonly budgetMb?: number | undefined
  /** The most proposals for one table. @default 10 */
  readonly maxPerTable?: number | undefined
  /** The most keys of a proposal. @default 4 */
  readonly maxKeys?: number | undefined
  /** How many times its present cost a query may cost afterwards. @default 1.2 */
  readonly maxRegression?: number | undefined
  /** Which part of the whole cost, from 0 to 1, an index has to save. @default 0.01 */
  readonly minGain?: number | undefined
  /**
   * How many microseconds of a call an index has to save, of queries that together make `minGain`: of less nobody notices
   * anything, since a call takes longer by itself.
   * @default 10
   */
  readonly minCallGainUs?: number | undefined
  /** Tables with fewer rows get no proposals. @default 1000 */
  readonly minRows?: number | undefined
  /** Rows to sample of each table. @default 20000 */
  readonly sampleRows?: number | undefined
  /**
   * Who says how queries would run. `'auto'`: on SQLite an empty copy of the schema in memory, on PostgreSQL hypopg where it
   * is there, else rules. `'hypopg'` (PostgreSQL): an error where it is not. `'createAndRollBack'` (PostgreSQL): the indexes are
   * created in a transaction that is rolled back, and nobody writes the tables meanwhile. `'rules'`: nobody is asked.
   * @default 'auto'
   */
  readonly whatIf?: 'auto' | 'hypopg' | 'createAndRollBack' | 'rules' | undefined
  /**
   * `'explainAnalyze'` (DuckDB): each proposal is created, a query is run with it, and all of it is rolled back; what no
   * scan uses is refused.
   * @default 'none'
   */
  readonly verify?: 'none' | 'explainAnalyze' | undefined
  /** Only the queries of this database, by the name that the workload has for it. @default all */
  readonly database?: string | undefined
  /** The schema whose tables are advised on. @default the connection's own */
  readonly schema?: string | undefined
  /** Opens a SQLite database in memory, for the copy. @default better-sqlite3, else `node:sqlite` */
  readonly openSqlite?: (() => SqliteClient | Promise<SqliteClient>) | undefined
}

export interface AdviseSettings {
  readonly budgetBytes: number
  readonly maxPerTable: number
  readonly maxKeys: number
  readonly maxRegression: number
  readonly minGain: number
  readonly minCallGainNs: number
  readonly minRows: number
  readonly sampleRows: number
  readonly whatIf: 'auto' | 'hypopg' | 'createAndRollBack' | 'rules'
  readonly verify: 'none' | 'explainAnalyze'
  readonly database: string | undefined
  readonly schema: string | undefined
  readonly openSqlite: (() => SqliteClient | Promise<SqliteClient>) | undefined
}

const numbers = {
  budgetMb: { least: 0, most: Infinity, isWhole: false, usual: Infinity },
  maxPerTable: { least: 1, most: 64, isWhole: true, usual: 10 },
  maxKeys: { least: 1, most: 16, isWhole: true, usual: 4 },
  maxRegression: { least: 1, most: Infinity, isWhole: false, usual: 1.2 },
  minGain: { least: 0, most: 1, isWhole: false, usual: 0.01 },
  minCallGainUs: { least: 0, most: Infinity, isWhole: false, usual: 10 },
  minRows: { least: 0, most: Infinity, isWhole: true, usual: 1_000 },
  sampleRows: { least: 100, most: 1_000_000, isWhole: true, usual: 20_000 },
} as const

/** @throws {OptionError} for an option that is not understood */
export function adviseSettings(where: string, options: AdviseOptions): AdviseSettings {
  checkOptionNames(where, options, [
    ...Object.keys(numbers),
    'whatIf',
    'verify',
    'database',
    'schema',
    'openSqlite',
  ])
  const number = (name: keyof typeof numbers): number => {
    const { least, most, isWhole, usual } = numbers[name]
    const value = options[name] ?? usual
    const isFit = typeof value === 'number' && value >= least && value <= most
    if (isFit && (!isWhole || Number.isInteger(value) || value === Infinity)) return value
    const to = most === Infinity ? '' : ` to ${most}`
    return invalidOption(
      where,
      name,
      value,
      `a ${isWhole ? 'whole ' : ''}number from ${least}${to}`,
    )
  }
  const { whatIf = 'auto', verify = 'none', openSqlite } = options
  if (!['auto', 'hypopg', 'createAndRollBack', 'rules'].includes(whatIf))
    invalidOption(where, 'whatIf', whatIf, "'auto', 'hypopg', 'createAndRollBack' or 'rules'")
  if (!['none', 'explainAnalyze'].includes(verify))
    invalidOption(where, 'verify', verify, "'none' or 'explainAnalyze'")
  if (openSqlite !== undefined && typeof openSqlite !== 'function')
    invalidOption(where, 'openSqlite', openSqlite, 'a function that opens a database in memory')
  return {
    budgetBytes: number('budgetMb') * 1e6,
    maxPerTable: number('maxPerTable'),
    maxKeys: number('maxKeys'),
    maxRegression: number('maxRegression'),
    minGain: number('minGain'),
    minCallGainNs: number('minCallGainUs') * 1_000,
    minRows: number('minRows'),
    sampleRows: number('sampleRows'),
    whatIf,
    verify,
    database: options.database,
    schema: options.schema,
    openSqlite,
  }
}
