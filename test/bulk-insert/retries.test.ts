import { bulkInsert } from '@keelson/bulk-insert/kysely'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { postgresql } from '../transactions/kysely/engines.ts'

/** A database whose transactions are run again by themselves, and one insert that fails once for a passing reason. */
async function open(): Promise<Kysely<any>> {
  const db = new Kysely<any>({
    dialect: withTransactions(await postgresql.dialect(), { defaults: { retry: 3 } }),
  })
  onTestFinished(() => db.destroy())
  await sql`create table item (id int primary key)`.execute(db)
  await sql`create sequence attempts`.execute(db)
  await sql
    .raw(
      `create function once() returns trigger language plpgsql as $$ begin
         if new.id = 15 and nextval('attempts') = 1 then raise exception 'try again' using errcode = '40001'; end if;
         return new; end $$`,
    )
    .execute(db)
  await sql`create trigger once before insert on item for each row execute function once()`.execute(
    db,
  )
  return db
}

function* rows(): Generator<{ id: number }> {
  for (let id = 0; id < 20; id++) yield { id }
}

async function ids(db: Kysely<any>): Promise<number> {
  return (await db.selectFrom('item').select('id').execute()).length
}

test('rows that have been read are not left out when their transaction is to run again', async () => {
  const db = await open()
  const error = await rejection(bulkInsert(db, 'item', rows(), { batchRows: 10 }))
  expect(error.name).toBe('BulkInsertError')
  expect(error.cause).toMatchObject({ code: 'NOT_REPEATABLE', cause: { code: '40001' } })
  expect(await ids(db)).toBe(0)
})

test('a transaction that makes its rows anew can be run again, and so can a batch of its own', async () => {
  const db = await open()
  await transaction(db, () => bulkInsert(db, 'item', rows(), { batchRows: 10 }))
  expect(await ids(db)).toBe(20)

  const other = await open()
  const report = await bulkInsert(other, 'item', rows(), { batchRows: 10, atomic: false })
  expect(report).toMatchObject({ attempted: 20, inserted: 20, rejected: 0, durableRows: 20 })
  expect(await ids(other)).toBe(20)
})
