/** Inserts generated rows and prints how much memory that took. Arguments: engine, file, number of rows. */
import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, sql } from 'kysely'

const [engine, path, count] = process.argv.slice(2) as [string, string, string]
const dialect =
  engine === 'sqlite'
    ? new SqliteDialect({ path })
    : new DuckDBDialect({ path, memoryLimit: '100MB', threads: 1 })
const db = new Kysely<any>({ dialect })
await sql`create table t (id bigint, name varchar, n double precision)`.execute(db)

function* rows(total: number): Generator<object> {
  for (let id = 0; id < total; id++) yield { id, name: `name ${id}`, n: id / 2 }
}

await bulkInsert(db, 't', rows(1_000))
const before = process.resourceUsage().maxRSS
const start = performance.now()
const { inserted } = await bulkInsert(db, 't', rows(Number(count)))
const durationMs = Math.round(performance.now() - start)
const { maxRSS } = process.resourceUsage()
await db.destroy()
console.log(
  JSON.stringify({
    inserted,
    beforeMb: Math.round(before / 1_024),
    maxRssMb: Math.round(maxRSS / 1_024),
    durationMs,
  }),
)
