// Inserts generated rows, so many as are asked for, and prints the most memory that it took, in MiB.
import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, sql } from 'kysely'
import { bulkRow, sixColumns } from './bulk-rows.ts'

const [engine, path, count] = process.argv.slice(2) as ['sqlite' | 'duckdb', string, string]
const dialect =
  engine === 'sqlite'
    ? new SqliteDialect({ path })
    : new DuckDBDialect({ path, memoryLimit: '100MiB' })
const db = new Kysely<any>({ dialect })
await sql.raw(sixColumns.ddl(engine).replace(', primary key (id)', '')).execute(db)
function* rows(): Generator<object> {
  for (let id = 0; id < Number(count); id++) yield bulkRow(id, 6)
}
await bulkInsert(db, 'person', rows())
await db.destroy()
console.log(Math.round(process.resourceUsage().maxRSS / 1_024))
