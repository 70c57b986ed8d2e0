import { eq, gt, sql as drizzleSql } from 'drizzle-orm'
import { CompiledQuery, sql, type Compilable, type Kysely } from 'kysely'
import { expect } from 'vitest'
import type { Written } from '../../support/engines.ts'
import type { Database } from '../../support/schema.ts'
import type { Contract } from '../contract.ts'
import type { Handle } from '../orm.ts'

/** What a statement reports is what it did: no more, no less, and nothing of the statement before it. */
export function countCases({ it, open, engine }: Contract): void {
  const { written } = engine.drizzle

  it('counts one inserted row, and many', async () => {
    const db = await open()
    expect((await db.add('Ada')).affected).toBe(1)
    expect((await db.add('Alan', 'Grace', 'Edsger')).affected).toBe(3)
  })

  it('reports the id of the inserted row, and of many the last one', ['insertId'], async () => {
    const db = await open()
    expect((await db.add('Ada')).insertId).toBe(1)
    expect((await db.add('Alan', 'Grace')).insertId).toBe(3)
    expect((await db.add({ id: 70, name: 'Edsger' })).insertId).toBe(70)
  })

  it('counts updated rows: none, one, and those whose value stays the same', async () => {
    const db = await open()
    await db.add({ id: 1, name: 'Ada', balance: 5 }, { id: 2, name: 'Alan', balance: 5 })
    expect(await db.setBalance(9, 1)).toEqual({ affected: 0, insertId: undefined })
    expect(await db.setBalance(1, 6)).toEqual({ affected: 1, insertId: undefined })
    expect(await db.setBalance(1, 6)).toEqual({ affected: 1, insertId: undefined })
  })

  it('counts deleted rows: none, some, and all without a condition', async () => {
    const db = await open()
    await db.add(...[1, 2, 3, 4, 5].map((balance) => ({ name: 'x', balance })))
    const deleteAbove = (balance: number) =>
      db.query<Written>({
        kysely: (kysely) =>
          report(kysely, kysely.deleteFrom('account').where('balance', '>', balance)),
        drizzle: async (drizzle, { account }) =>
          written(await drizzle.delete(account).where(gt(account.balance, balance))),
      })
    expect((await deleteAbove(100)).affected).toBe(0)
    expect((await deleteAbove(3)).affected).toBe(2)
    const all = await db.query<Written>({
      kysely: (kysely) => report(kysely, kysely.deleteFrom('account')),
      drizzle: async (drizzle, { account }) => written(await drizzle.delete(account)),
    })
    expect(all.affected).toBe(3)
  })

  it(
    'counts an ignored insert as nothing, and reports no id of an earlier one (S2)',
    ['upsert'],
    async () => {
      const db = await open()
      await db.add({ name: 'Ada', email: 'a@x' })
      await db.add('Alan')
      expect(await addUnlessThere(db, ['a@x'])).toEqual({ affected: 0, insertId: undefined })
    },
  )

  it(
    'counts of an insert that ignores some rows the others, also duplicates within it (S15b)',
    ['upsert'],
    async () => {
      const db = await open()
      await db.add({ name: 'Ada', email: 'a@x' })
      expect((await addUnlessThere(db, ['a@x', 'b@x', 'b@x', 'c@x'])).affected).toBe(2)
      expect((await db.accounts()).map(({ email }) => email)).toEqual(['a@x', 'b@x', 'c@x'])
    },
  )

  it('reports the id of an insert whose next row is ignored', ['upsert', 'insertId'], async () => {
    const db = await open()
    await db.add({ name: 'Ada', email: 'a@x' })
    expect(await addUnlessThere(db, ['b@x', 'a@x'])).toEqual({ affected: 1, insertId: 2 })
  })

  it(
    'counts an upsert that inserts as one, with the new id where the engine tells it',
    ['upsert'],
    async () => {
      const db = await open()
      const { affected, insertId } = await addOrSetBalance(db, 'a@x', 5)
      expect(affected).toBe(1)
      if (engine.supports.insertId) expect(insertId).toBe(1)
      expect(await db.accounts()).toEqual([{ id: 1, name: 'new', email: 'a@x', balance: 5 }])
    },
  )

  it(
    'counts an upsert that updates as one, and reports no id of another row (S3)',
    ['upsert'],
    async () => {
      const db = await open()
      await db.add({ name: 'Ada', email: 'a@x' }, { name: 'Alan', email: 'b@x' })
      expect(await addOrSetBalance(db, 'a@x', 7)).toEqual({ affected: 1, insertId: undefined })
      expect((await db.accounts()).map(({ balance }) => balance)).toEqual([7, 0])
    },
  )

  it('counts an upsert whose condition refuses the update as nothing', ['upsert'], async () => {
    const db = await open()
    await db.add({ name: 'Ada', email: 'a@x', balance: 10 })
    const result = await db.query<Written>({
      kysely: (kysely) =>
        report(
          kysely,
          kysely
            .insertInto('account')
            .values({ name: 'new', email: 'a@x', balance: 5 })
            .onConflict((oc) =>
              oc
                .column('email')
                .doUpdateSet({ balance: 5 })
                .where(sql<boolean>`account.balance < excluded.balance`),
            ),
        ),
      drizzle: async (drizzle, { account }) =>
        written(
          await drizzle
            .insert(account)
            .values({ name: 'new', email: 'a@x', balance: 5 })
            .onConflictDoUpdate({
              target: account.email,
              set: { balance: 5 },
              setWhere: drizzleSql`${account.balance} < excluded.balance`,
            }),
        ),
    })
    expect(result).toEqual({ affected: 0, insertId: undefined })
    expect((await db.accounts())[0]).toMatchObject({ name: 'Ada', balance: 10 })
  })

  it('counts an update through a key, and reports no id of an earlier insert (S4)', async () => {
    const db = await open()
    await db.add({ id: 1, name: 'Ada' })
    const updated = await db.query<Written>({
      kysely: (kysely) =>
        report(kysely, kysely.updateTable('account').set({ balance: 3 }).where('id', '=', 1)),
      drizzle: async (drizzle, { account }) =>
        written(await drizzle.update(account).set({ balance: 3 }).where(eq(account.id, 1))),
    })
    expect(updated).toEqual({ affected: 1, insertId: undefined })
  })

  it('reports no id for DDL, and counts no rows of an earlier statement (S4)', async () => {
    const db = await open()
    await db.add('Ada', 'Alan')
    const created = await db.query<Written>({
      kysely: (kysely) =>
        report(kysely, kysely.schema.createTable('extra').addColumn('id', 'integer')),
      drizzle: async (drizzle) =>
        written(await engine.drizzle.run(drizzle, drizzleSql`create table extra (id integer)`)),
    })
    expect(created.insertId).toBeUndefined()
    expect(created.affected ?? 0).toBe(0)
  })

  it(
    'counts the rows of insert, update and delete with RETURNING (S1)',
    ['returning', 'countsWithReturning'],
    async () => {
      const db = await open()
      await db.query({
        kysely: async (kysely) => {
          const inserted = kysely
            .insertInto('account')
            .values([{ name: 'Ada' }, { name: 'Alan' }])
            .returning('id')
          expect((await report(kysely, inserted)).affected).toBe(2)
          const updated = kysely.updateTable('account').set({ balance: 1 }).returning('id')
          expect((await report(kysely, updated)).affected).toBe(2)
          const deleted = kysely.deleteFrom('account').where('id', '=', 1).returning('id')
          expect((await report(kysely, deleted)).affected).toBe(1)
          const none = kysely.deleteFrom('account').where('id', '=', 1).returning('id')
          expect((await report(kysely, none)).affected).toBe(0)
        },
        drizzle: async () => {},
      })
    },
  )

  it('does not count the rows that a foreign key deletes along', ['cascades'], async () => {
    const db = await open()
    await db.run('create table parent (id integer primary key)')
    await db.run('create table child (parent_id integer references parent (id) on delete cascade)')
    await db.run('insert into parent values (1)')
    await db.run('insert into child values (1), (1), (1)')
    const deleted = await db.query<Written>({
      kysely: async (kysely) =>
        fromKysely(await kysely.executeQuery(CompiledQuery.raw('delete from parent'))),
      drizzle: async (drizzle) =>
        written(await engine.drizzle.run(drizzle, drizzleSql`delete from parent`)),
    })
    expect(deleted.affected).toBe(1)
    expect(await db.rows('select * from child')).toEqual([])
  })

  async function addUnlessThere(db: Handle, emails: readonly string[]): Promise<Written> {
    const rows = emails.map((email) => ({ name: 'new', email }))
    return db.query<Written>({
      kysely: (kysely) =>
        report(
          kysely,
          kysely
            .insertInto('account')
            .values(rows)
            .onConflict((oc) => oc.doNothing()),
        ),
      drizzle: async (drizzle, { account }) =>
        written(await drizzle.insert(account).values(rows).onConflictDoNothing()),
    })
  }

  async function addOrSetBalance(db: Handle, email: string, balance: number): Promise<Written> {
    const row = { name: 'new', email, balance }
    return db.query<Written>({
      kysely: (kysely) =>
        report(
          kysely,
          kysely
            .insertInto('account')
            .values(row)
            .onConflict((oc) => oc.column('email').doUpdateSet({ balance })),
        ),
      drizzle: async (drizzle, { account }) =>
        written(
          await drizzle
            .insert(account)
            .values(row)
            .onConflictDoUpdate({ target: account.email, set: { balance } }),
        ),
    })
  }
}

/** Everything that a driver tells Kysely, more than Kysely's own results show. */
async function report(db: Kysely<Database>, query: Compilable): Promise<Written> {
  return fromKysely(await db.executeQuery(query.compile()))
}

function fromKysely(result: { numAffectedRows?: bigint; insertId?: bigint }): Written {
  const { numAffectedRows: affected, insertId } = result
  return {
    affected: affected === undefined ? undefined : Number(affected),
    insertId: insertId === undefined ? undefined : Number(insertId),
  }
}
