import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import Database from 'better-sqlite3'
import { type Compilable, Kysely, type LogEvent } from 'kysely'

/** A table such as platforms keep for records of every schema of their users. */
export interface RecordTable {
  id: string
  schema_id: string
  tenant_id: number
  status: string
  owner_id: number
  price: number
  qty: number
  deleted: number
  email: string
  expires_at: string | null
  created_at: string
  updated_at: string
  data: string
}

export interface Records {
  rec: RecordTable
}

/** A query, and how often it runs in a unit of time. */
export interface WeighedQuery {
  readonly name: string
  readonly weight: number
  readonly query: Compilable
}

/** A file with records and no index but that of the key; each contender has a copy of it. */
export class RecordFile {
  readonly #directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'))
  readonly path: string = join(this.#directory, 'records.db')

  constructor(rows: number) {
    const database = new Database(this.path)
    database.pragma('journal_mode = off')
    database.exec(
      `create table rec (
         id text primary key, schema_id text not null, tenant_id integer not null, status text not null,
         owner_id integer not null, price real not null, qty integer not null, deleted integer not null,
         email text not null, expires_at text, created_at text not null, updated_at text not null, data text not null)`,
    )
    const insert = database.prepare(
      `insert into rec values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    const random = numbers(7)
    database.transaction(() => {
      for (let at = 0; at < rows; at++) {
        const tenant = Math.floor(random() * 500)
        const chance = random()
        insert.run(
          `rec_${String(Math.floor(random() * 1e9)).padStart(9, '0')}_${at}`,
          `s${Math.floor(random() ** 2 * 50)}`,
          tenant,
          chance < 0.02 ? 'open' : chance < 0.08 ? 'pending' : 'closed',
          Math.floor(random() * 50_000),
          Math.round(random() * 100_000) / 100,
          Math.floor(random() * 100),
          random() < 0.01 ? 1 : 0,
          `u${Math.floor(random() * 200_000)}@ex.com`,
          random() < 0.05 ? moment(random() * 2e9) : null,
          moment(random() * 1e9),
          moment(random() * 1e9),
          JSON.stringify({ k: Math.floor(random() * 2_000), note: 'n'.repeat(10) }),
        )
      }
    })()
    database.close()
  }

  copy(): string {
    const path = join(this.#directory, 'copy.db')
    for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true })
    copyFileSync(this.path, path)
    return path
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** The queries of such a platform, with how often each runs. */
export function recordQueries(db: Kysely<Records>): readonly WeighedQuery[] {
  const rec = db.selectFrom('rec')
  return [
    { name: 'owner', weight: 50, query: rec.selectAll().where('owner_id', '=', 123) },
    {
      name: 'tenant_status_recent',
      weight: 100,
      query: rec
        .selectAll()
        .where('tenant_id', '=', 7)
        .where('status', '=', 'open')
        .orderBy('created_at', 'desc')
        .limit(20),
    },
    {
      name: 'tenant_recent',
      weight: 30,
      query: rec.selectAll().where('tenant_id', '=', 9).orderBy('created_at', 'desc').limit(20),
    },
    {
      name: 'schema_since',
      weight: 40,
      query: rec
        .selectAll()
        .where('schema_id', '=', 's1')
        .where('created_at', '>', moment(9e8))
        .orderBy('created_at')
        .limit(50),
    },
    {
      name: 'top_price',
      weight: 5,
      query: rec.select(['id', 'price']).orderBy('price', 'desc').limit(20),
    },
    {
      name: 'expiring',
      weight: 10,
      query: rec
        .select('id')
        .where('expires_at', 'is not', null)
        .where('expires_at', '<', moment(1e7))
        .orderBy('expires_at')
        .limit(100),
    },
    {
      name: 'json_k',
      weight: 5,
      query: rec
        .select('id')
        .where((eb) => eb(eb.ref('data', '->>').key('k' as never), '=', 77 as never)),
    },
    { name: 'by_email', weight: 60, query: rec.selectAll().where('email', '=', 'u77@ex.com') },
    {
      name: 'closed_agg',
      weight: 3,
      query: rec.select((eb) => eb.fn.count('qty').as('n')).where('status', '=', 'closed'),
    },
    {
      name: 'deleted_list',
      weight: 5,
      query: rec.selectAll().where('deleted', '=', 1).orderBy('created_at', 'desc').limit(50),
    },
    {
      name: 'owner_or_email',
      weight: 5,
      query: rec
        .selectAll()
        .where((eb) => eb.or([eb('owner_id', '=', 5), eb('email', '=', 'u5@ex.com')])),
    },
    {
      name: 'price_range_tenant',
      weight: 10,
      query: rec.selectAll().where('tenant_id', '=', 3).where('price', '>', 990),
    },
  ]
}

/** What a set of indexes makes of the queries. */
export interface IndexSetResult {
  readonly indexes: number
  readonly mb: number
  /** Microseconds for a row that is inserted, its keys being random. */
  readonly insertUs: number
  /** Milliseconds of all queries, each as often as it runs. */
  readonly workloadMs: number
  readonly queryMs: Readonly<Record<string, number>>
}

/** Creates the indexes on a copy, and times each query: the best of `rounds`. */
export function measureIndexes(
  file: RecordFile,
  queries: readonly WeighedQuery[],
  sql: readonly string[],
  rounds: number,
): IndexSetResult {
  const path = file.copy()
  const database = new Database(path)
  database.pragma('journal_mode = wal')
  database.pragma('synchronous = normal')
  const before = statSync(path).size
  for (const statement of sql) database.exec(statement)
  database.pragma('wal_checkpoint(truncate)')
  const mb = (statSync(path).size - before) / 1e6
  database.exec('analyze')
  const queryMs: Record<string, number> = {}
  let workloadMs = 0
  for (const { name, weight, query } of queries) {
    const { sql: text, parameters } = query.compile()
    const statement = database.prepare(text)
    statement.all(...parameters)
    let best = Infinity
    for (let round = 0; round < rounds; round++) {
      const begun = performance.now()
      statement.all(...parameters)
      best = Math.min(best, performance.now() - begun)
    }
    queryMs[name] = best
    workloadMs += best * weight
  }
  const last = database.prepare('select max(rowid) as last from rec').get() as { last: number }
  const insert = database.prepare(
    `insert into rec select 'x' || id, schema_id, tenant_id, status, owner_id, price, qty, deleted, email, expires_at,
       created_at, updated_at, data from rec where rowid = ?`,
  )
  const count = Math.min(20_000, last.last)
  const begun = performance.now()
  database.transaction(() => {
    for (let at = 0; at < count; at++) insert.run(1 + ((at * 47) % last.last))
  })()
  const insertUs = ((performance.now() - begun) / count) * 1000
  database.close()
  const indexes = sql.filter((statement) => /^create/i.test(statement)).length
  return { indexes, mb, insertUs, workloadMs, queryMs }
}

/** What the expert of the SQLite shell advises, each query by itself; undefined where there is no shell. */
export function expertIndexes(
  file: RecordFile,
  queries: readonly WeighedQuery[],
): readonly string[] | undefined {
  const input = queries.map(({ query }) => `.expert --sample 10\n${withValues(query)};\n`).join('')
  let output: string
  try {
    output = execFileSync('sqlite3', [file.copy()], { input, encoding: 'utf8' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return [...new Set(output.split('\n').filter((line) => line.startsWith('CREATE INDEX')))]
}

export function openRecords(path: string, log: (event: LogEvent) => void): Kysely<Records> {
  return new Kysely<Records>({ dialect: new SqliteDialect({ path }), log })
}

function withValues(query: Compilable): string {
  const { sql, parameters } = query.compile()
  let at = 0
  return sql.replaceAll('?', () => {
    const value = parameters[at++]
    return typeof value === 'number' ? String(value) : `'${String(value)}'`
  })
}

function moment(offset: number): string {
  return new Date(1.7e12 + offset).toISOString()
}

/** mulberry32: numbers from 0 to 1, the same ones each time. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
