/**
 * What a user's first program does, run by `release-check.ts` against the packed packages: both
 * hosts on one file of each engine, writes, transactions, a stream, a clean end.
 */
import assert from 'node:assert/strict'
import { openDuckDB } from '@keelson/duckdb'
import { drizzle as duckdbDrizzle, stream as duckdbStream } from '@keelson/duckdb/drizzle'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { openSqlite } from '@keelson/sqlite'
import { drizzle, stream } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { createTiming } from '@keelson/timing'
import { withTiming } from '@keelson/timing/kysely'
import { failOnScan } from '@keelson/timing/testing'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { integer as pgInteger, pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Kysely, type Generated, type Selectable } from 'kysely'

const path = 'release-check.db'

interface Database {
  account: { id: Generated<number>; owner: string }
}

const timing = createTiming()
const kysely = new Kysely<Database>({
  dialect: withTiming(withTransactions(new SqliteDialect({ path })), timing),
})
await kysely.schema
  .createTable('account')
  .addColumn('id', 'integer', (column) => column.primaryKey())
  .addColumn('owner', 'text', (column) => column.notNull().unique())
  .execute()

const trx = await kysely.startTransaction().execute()
await trx.insertInto('account').values({ owner: 'Ada' }).execute()
const inner = await trx.savepoint('inner').execute()
await inner.insertInto('account').values({ owner: 'nobody' }).execute()
await inner.rollbackToSavepoint('inner').execute()
await trx.commit().execute()

await transaction(kysely, async () => {
  const undone = transaction(kysely, async (tx) => {
    await tx.insertInto('account').values({ owner: 'nobody' }).execute()
    throw new Error('undo')
  })
  await assert.rejects(undone, { message: 'undo' })
})

await assert.rejects(kysely.insertInto('account').values({ owner: 'Ada' }).execute(), {
  code: 'SQLITE_CONSTRAINT_UNIQUE',
})
const accounts = kysely.selectFrom('account').selectAll()
const streamed: Selectable<Database['account']>[] = []
for await (const row of accounts.stream()) streamed.push(row)
assert.deepEqual(streamed, [{ id: 1, owner: 'Ada' }])
await failOnScan(timing, () => accounts.where('id', '=', 1).execute())
assert.match(String(timing.report()), /insert into "account"/)
await kysely.destroy()

// The code of the threads is in the tarball too.
const threads = openSqlite({ path, mode: 'threads' })
const onThreads = await threads.execute<{ owner: string }>('select owner from account')
assert.deepEqual(onThreads.rows, [{ owner: 'Ada' }])
assert.deepEqual(await threads.close(), { forced: [] })

const account = sqliteTable('account', {
  id: integer().primaryKey(),
  owner: text().notNull().unique(),
})
const db = drizzle(path, { schema: { account } })
await db.transaction(async (tx) => {
  await tx.insert(account).values({ owner: 'Grace' })
  const undone = tx.transaction(async (nested) => {
    await nested.insert(account).values({ owner: 'nobody' })
    throw new Error('undo')
  })
  await assert.rejects(undone, { message: 'undo' })
})
const found = await db.query.account.findMany({ columns: { owner: true }, orderBy: account.id })
assert.deepEqual(found, [{ owner: 'Ada' }, { owner: 'Grace' }])
const owners = db.select({ owner: account.owner }).from(account).orderBy(account.id)
const rowsStreamed: { owner: string }[] = []
for await (const row of stream(db, owners)) rowsStreamed.push(row)
assert.deepEqual(rowsStreamed, found)
await db.$client.close()

const database = openSqlite({ path })
const { rows } = await database.execute('select count(*) as owners from account')
assert.deepEqual(rows, [{ owners: 2 }])
assert.deepEqual(await database.close(), { forced: [] })

const duckdb = await openDuckDB({ path: 'release-check.duckdb', memoryLimit: '500MB' })
await duckdb.execute('create table account (id integer primary key, owner varchar not null unique)')
const onDuckDB = new Kysely<Database>({ dialect: new DuckDBDialect({ database: duckdb }) })
const { numInsertedOrUpdatedRows } = await onDuckDB
  .insertInto('account')
  .values([
    { id: 1, owner: 'Ada' },
    { id: 2, owner: 'Grace' },
  ])
  .executeTakeFirstOrThrow()
assert.equal(numInsertedOrUpdatedRows, 2n)
const doomed = onDuckDB.transaction().execute(async (transaction) => {
  await transaction.deleteFrom('account').execute()
  await assert.rejects(transaction.insertInto('account').values({ owner: 'nobody' }).execute())
})
await assert.rejects(doomed, { code: 'TRANSACTION_ABORTED' })

const duckdbAccount = pgTable('account', {
  id: pgInteger().primaryKey(),
  owner: pgText().notNull(),
})
const duckdbDb = duckdbDrizzle({ client: duckdb, schema: { account: duckdbAccount } })
const streamedOwners: string[] = []
for await (const row of duckdbStream(duckdbDb, duckdbDb.select().from(duckdbAccount)))
  streamedOwners.push(row.owner)
assert.deepEqual(streamedOwners.toSorted(), ['Ada', 'Grace'])
const first = await duckdbDb.query.account.findFirst({ orderBy: duckdbAccount.id })
assert.deepEqual(first, { id: 1, owner: 'Ada' })
await onDuckDB.destroy()
assert.deepEqual(await duckdb.close(), { forced: [] })
