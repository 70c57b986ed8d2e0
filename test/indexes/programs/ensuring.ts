/**
 * A process that calls `ensureTables()` for some tables, many times, forgetting each time what it knows. Its parameters:
 * `sqlite` and a path, or `postgresql` and a connection string; how many calls; how many tables.
 */
import { ensureTables } from '@keelson/indexes/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { numberedTables } from '../tables.ts'

const [engine, place = '', calls, count] = process.argv.slice(2)
const dialect =
  engine === 'sqlite'
    ? new SqliteDialect({ path: place, busyTimeoutMs: 60_000 })
    : new PostgresDialect({ pool: new Pool({ connectionString: place, max: 2 }) })
const db = new Kysely<any>({ dialect })
const tables = numberedTables(Number(count))
console.log('ready')
// All start when they are told to, which is when all are ready.
await new Promise((resolve) => process.stdin.once('data', resolve))
for (let call = 0; call < Number(calls); call++) {
  const table = tables[call % tables.length]!
  await ensureTables(db, [table], { refresh: true, lockTimeoutMs: 60_000 })
}
await db.destroy()
process.stdin.destroy()
