import { bulkIngest, type BulkIngestCapable } from '@keelson/core'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'

interface Database {
  item: { id: number; label: string }
}

async function openItems(): Promise<Kysely<Database>> {
  const db = new Kysely<Database>({ dialect: new DuckDBDialect({ path: ':memory:' }) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, label varchar)`.execute(db)
  return db
}

/** As the bulk-insert package finds it: on the connection that `db` is given. */
function ingest(db: Kysely<Database>, rows: readonly unknown[][]) {
  return db.getExecutor().provideConnection((connection) =>
    (connection as unknown as BulkIngestCapable)[bulkIngest]({
      table: 'item',
      columns: ['id', 'label'],
      rows,
      statement: (source) => `insert into item select * from ${source}`,
    }),
  )
}

test('takes rows in bulk on the connection of a plain Kysely instance', async () => {
  const db = await openItems()
  expect(
    await ingest(db, [
      [1, 'a'],
      [2, 'b'],
    ]),
  ).toMatchObject({ changes: 2 })
  expect(await db.selectFrom('item').selectAll().orderBy('id').execute()).toEqual([
    { id: 1, label: 'a' },
    { id: 2, label: 'b' },
  ])
})

test('joins the transaction that the handle belongs to', async () => {
  const db = await openItems()
  const undone = db.transaction().execute(async (trx) => {
    await ingest(trx, [[1, 'a']])
    expect(await trx.selectFrom('item').select('id').execute()).toEqual([{ id: 1 }])
    throw new Error('mine')
  })
  expect(await rejection(undone)).toMatchObject({ message: 'mine' })
  expect(await db.selectFrom('item').selectAll().execute()).toEqual([])
})

test('fails the transaction when it fails, caught or not', async () => {
  const db = await openItems()
  const failed = db.transaction().execute(async (trx) => {
    await rejection(
      ingest(trx, [
        [1, 'a'],
        [1, 'b'],
      ]),
    )
  })
  expect(await rejection(failed)).toMatchObject({ code: 'TRANSACTION_ABORTED' })
})
