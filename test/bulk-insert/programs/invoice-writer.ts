// Writes invoices and events as told, and says in one line what it has committed.
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import {
  type Dialect,
  Kysely,
  MysqlDialect,
  PostgresDialect,
  SqliteDialect as KyselySqliteDialect,
} from 'kysely'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { write, type WriterOptions } from '../sequences/writer.ts'

/** Longer than all the others need together. */
const busyTimeoutMs = 600_000

const dialects: Readonly<Record<string, (at: string) => Dialect>> = {
  sqlite: (path) => new SqliteDialect({ path, busyTimeoutMs }),
  kysely: (path) => {
    const database = new Database(path, { timeout: busyTimeoutMs })
    database.pragma('synchronous = normal')
    return new KyselySqliteDialect({ database })
  },
  postgresql: (connectionString) =>
    new PostgresDialect({ pool: new Pool({ connectionString, max: 1 }) }),
  mysql: (uri) => new MysqlDialect({ pool: createPool({ uri, connectionLimit: 1 }) }),
}

const [driver, at, given] = process.argv.slice(2) as [string, string, string]
const options = JSON.parse(given) as WriterOptions
const dialect = dialects[driver]!(at)
const db = new Kysely<any>({ dialect: options.isWrapped ? withTransactions(dialect) : dialect })
console.log('ready')
for await (const _ of process.stdin) break
console.log(JSON.stringify(await write(db, options)))
await db.destroy()
