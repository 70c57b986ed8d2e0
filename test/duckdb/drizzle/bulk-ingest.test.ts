import { bulkIngest, type BulkIngestCapable } from '@keelson/core'
import { drizzle } from '@keelson/duckdb/drizzle'
import { sql } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'

const item = pgTable('item', { id: integer().primaryKey(), label: text() })

async function openItems() {
  const db = drizzle(':memory:')
  onTestFinished(async () => void (await db.$client.close()))
  await db.execute(sql`create table item (id integer primary key, label varchar)`)
  return db
}

/** As the bulk-insert package finds it: on the session of the database or transaction. */
function ingest(db: object, rows: readonly unknown[][]) {
  const { session } = db as { session: BulkIngestCapable }
  return session[bulkIngest]({
    table: 'item',
    columns: ['id', 'label'],
    rows,
    statement: (source) => `insert into item select * from ${source}`,
  })
}

test('takes rows in bulk outside a transaction', async () => {
  const db = await openItems()
  const rows = [1, 2].map((id) => [id, `item ${id}`])
  expect(await ingest(db, rows)).toMatchObject({ changes: 2 })
  expect(await db.select().from(item).orderBy(item.id)).toEqual([
    { id: 1, label: 'item 1' },
    { id: 2, label: 'item 2' },
  ])
})

test('joins the transaction that the handle belongs to, and ends with it', async () => {
  const db = await openItems()
  let handle: object | undefined
  const undone = db.transaction(async (tx) => {
    handle = tx
    await ingest(tx, [[1, 'a']])
    expect(await tx.$count(item)).toBe(1)
    throw new Error('mine')
  })
  expect(await rejection(undone)).toMatchObject({ message: 'mine' })
  expect(await db.$count(item)).toBe(0)
  expect(await rejection(ingest(handle!, [[2, 'b']]))).toMatchObject({ code: 'TRANSACTION_CLOSED' })
  expect(await db.$count(item)).toBe(0)
})
