/**
 * A process that plans and applies, and is killed meanwhile. Its parameters: `sqlite` and a path, or `postgresql` and a connection
 * string; `concurrently` or nothing.
 */
import { applyPlan, diffSchema } from '@keelson/indexes/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { largeTables } from '../tables.ts'

const [engine, place = '', how] = process.argv.slice(2)
const dialect =
  engine === 'sqlite'
    ? new SqliteDialect({ path: place, busyTimeoutMs: 60_000 })
    : new PostgresDialect({ pool: new Pool({ connectionString: place, max: 2 }) })
const db = new Kysely<any>({ dialect })
const concurrently = how === 'concurrently'
const plan = await diffSchema(db, largeTables(), { concurrently })
console.log(JSON.stringify(plan))
await applyPlan(db, plan, {
  onProgress: ({ index, state }) => console.log(`${state} ${index}`),
})
await db.destroy()
process.stdin.destroy()
