import type { SqliteClient } from '@keelson/indexes'
import sqlite3InitModule, { type BindableValue } from '@sqlite.org/sqlite-wasm'

/** A query with its values, and how often it runs. */
export interface WeighedSql {
  readonly sql: string
  readonly parameters: readonly (string | number)[]
  readonly weight: number
}

/** The same SQLite in memory as a planner: builds of SQLite do not all plan alike. */
export async function openPlanner(): Promise<SqliteClient> {
  const sqlite = await sqlite3InitModule()
  const client = new sqlite.oo1.DB(':memory:')
  return {
    exec: (sql) => client.exec(sql),
    prepare: (sql) => ({
      all: (...values) => client.selectObjects(sql, values as BindableValue[]),
      run: (...values) => client.exec({ sql, bind: values as BindableValue[] }),
    }),
    close: () => client.close(),
  }
}

type Sqlite = Awaited<ReturnType<typeof sqlite3InitModule>>
type Client = InstanceType<Sqlite['oo1']['DB']>

/**
 * What reading a page that is in memory takes, in steps of the virtual machine: 60 ns to 7.5 ns, fitted to the time that
 * better-sqlite3 takes for plans of every kind.
 */
const stepsOfPage = 8

/** What a call takes besides, however little it reads: 1 us, a fifth of what better-sqlite3 takes to find one row. */
const stepsOfCall = 130

/**
 * Counts the work of SQLite: steps of its virtual machine, and pages that they read, which are most of what it takes to fetch
 * a row that an index points to. The same each time, whatever else the machine does.
 */
export class StepCounter {
  readonly #sqlite: Sqlite
  readonly #client: Client

  private constructor(sqlite: Sqlite, client: Client) {
    this.#sqlite = sqlite
    this.#client = client
  }

  static async open(statements: readonly string[]): Promise<StepCounter> {
    const sqlite = await sqlite3InitModule()
    const client = new sqlite.oo1.DB(':memory:')
    for (const sql of statements) client.exec(sql)
    return new StepCounter(sqlite, client)
  }

  run(sql: string): void {
    this.#client.exec(sql)
  }

  /** Bytes of each index that was created, by its name. */
  sizes(): ReadonlyMap<string, number> {
    const rows = this.#client.selectArrays(
      `select name, sum(pgsize) from dbstat where name in (select name from sqlite_schema where type = 'index') group by name`,
    )
    return new Map(rows as [string, number][])
  }

  statistics(): ReadonlyMap<string, string> {
    const rows = this.#client.selectArrays(
      `select idx, stat from sqlite_stat1 where idx is not null`,
    )
    return new Map(rows as [string, string][])
  }

  steps({ sql, parameters }: WeighedSql): number {
    const { capi } = this.#sqlite
    this.#pages()
    const statement = this.#client.prepare(sql)
    try {
      if (parameters.length > 0) statement.bind([...parameters])
      while (statement.step());
      const steps = capi.sqlite3_stmt_status(statement, capi.SQLITE_STMTSTATUS_VM_STEP, 0)
      return stepsOfCall + steps + stepsOfPage * this.#pages()
    } finally {
      statement.finalize()
    }
  }

  /** Pages read since it was asked the last time. */
  #pages(): number {
    const { capi, wasm } = this.#sqlite
    const at = wasm.pstack.pointer
    try {
      const [current, highest] = wasm.pstack.allocPtr(2) as [number, number]
      capi.sqlite3_db_status(this.#client, capi.SQLITE_DBSTATUS_CACHE_HIT, current, highest, 1)
      return wasm.peek32(current) as number
    } finally {
      wasm.pstack.restore(at)
    }
  }

  close(): void {
    this.#client.close()
  }
}
