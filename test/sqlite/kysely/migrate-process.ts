// One of several processes that migrate one file at the same time: says `ready`, waits for a line, prints the result.
import { once } from 'node:events'
import { Kysely } from 'kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { slowMigrator } from './slow-migrator.ts'

const [path, mode] = process.argv.slice(2)
const db = new Kysely({ dialect: new SqliteDialect({ path: path! }) })
const migrator = slowMigrator(db, { disableTransactions: mode === 'without transactions' })
process.stdout.write('ready\n')
await once(process.stdin, 'data')
const { error, results } = await migrator.migrateToLatest()
process.stdout.write(
  `${JSON.stringify({ error: (error as Error | undefined)?.message, results })}\n`,
)
await db.destroy()
process.stdin.destroy()
