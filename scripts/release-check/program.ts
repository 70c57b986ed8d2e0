/**
 * What a user's first program does, run by `release-check.ts` against the packed packages: both
 * hosts on one SQLite file, writes, nested transactions, a stream, a clean end.
 */
import assert from 'node:assert/strict'
import { openSqlite } from '@keelson/sqlite'
import { drizzle, stream } from '@keelson/sqlite/drizzle'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Kysely, type Generated, type Selectable } from 'kysely'

const path = 'release-check.db'

interface Database {
  account: { id: Generated<number>; owner: string }
}

const kysely = new Kysely<Database>({ dialect: new SqliteDialect({ path }) })
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

await assert.rejects(kysely.insertInto('account').values({ owner: 'Ada' }).execute(), {
  code: 'SQLITE_CONSTRAINT_UNIQUE',
})
const accounts = kysely.selectFrom('account').selectAll()
const streamed: Selectable<Database['account']>[] = []
for await (const row of accounts.stream()) streamed.push(row)
assert.deepEqual(streamed, [{ id: 1, owner: 'Ada' }])
await kysely.destroy()

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
