import { engineTraits } from '@keelson/core'
import { desc, eq, gt, inArray, sql as drizzleSql } from 'drizzle-orm'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Contract } from '../contract.ts'

/** Writing rows and reading them back through the query builders. */
export function rowCases({ it, open, failureOf, engine }: Contract): void {
  it('inserts a row, reads it, updates it and deletes it', async () => {
    const db = await open()
    await db.add({ id: 7, name: 'Ada', email: 'ada@example.org', balance: 10 })
    expect(await db.accounts()).toEqual([
      { id: 7, name: 'Ada', email: 'ada@example.org', balance: 10 },
    ])

    await db.setBalance(7, 25)
    expect(await db.accounts()).toEqual([
      { id: 7, name: 'Ada', email: 'ada@example.org', balance: 25 },
    ])

    await db.query({
      kysely: (kysely) => kysely.deleteFrom('account').where('id', '=', 7).execute(),
      drizzle: (drizzle, { account }) => drizzle.delete(account).where(eq(account.id, 7)),
    })
    expect(await db.accounts()).toEqual([])
  })

  it('gives columns that are left out their default, or null', async () => {
    const db = await open()
    await db.add({ id: 1, name: 'Ada' })
    expect(await db.accounts()).toEqual([{ id: 1, name: 'Ada', email: null, balance: 0 }])
  })

  it('numbers rows whose id is left out', async () => {
    const db = await open()
    await db.add('Ada', 'Alan')
    await db.add('Grace')
    expect((await db.accounts()).map(({ id, name }) => [id, name])).toEqual([
      [1, 'Ada'],
      [2, 'Alan'],
      [3, 'Grace'],
    ])
  })

  it('inserts a thousand rows with one statement, each into its own columns', async () => {
    const db = await open()
    const rows = Array.from({ length: 1000 }, (_, n) => ({
      id: n + 1,
      name: `n${n}`,
      email: `e${n}`,
      balance: n,
    }))
    await db.add(...rows)
    expect(await db.accounts()).toEqual(rows)
  })

  const { maxParameters } = engineTraits[engine.kind]
  if (maxParameters !== undefined) {
    it('takes as many parameters as the engine does, and does nothing with more (S15)', async () => {
      const db = await open()
      await db.add({ id: 1, name: 'Ada' }, { id: 2, name: 'Alan' })
      const deleteFrom = (first: number, count: number) => {
        const ids = Array.from({ length: count }, (_, n) => first + n)
        return db.query<unknown>({
          kysely: (kysely) => kysely.deleteFrom('account').where('id', 'in', ids).execute(),
          drizzle: (drizzle, { account }) =>
            drizzle.delete(account).where(inArray(account.id, ids)),
        })
      }
      const failure = await failureOf(deleteFrom(1, maxParameters + 1))
      expect(failure.message).toContain(maxParameters.toLocaleString('en'))
      expect(await db.names()).toEqual(['Ada', 'Alan'])
      await deleteFrom(2, maxParameters)
      expect(await db.names()).toEqual(['Ada'])
    })
  }

  it('finds nothing as an empty list, and as undefined where one row is asked for', async () => {
    const db = await open()
    const found = await db.query({
      kysely: async (kysely) => {
        const none = kysely.selectFrom('account').selectAll().where('id', '=', 1)
        return [await none.execute(), await none.executeTakeFirst()]
      },
      drizzle: async (drizzle, { account }) => {
        const none = await drizzle.select().from(account).where(eq(account.id, 1))
        return [none, none[0]]
      },
    })
    expect(found).toEqual([[], undefined])
  })

  it('sorts, skips and limits', async () => {
    const db = await open()
    await db.add(
      { name: 'a', balance: 3 },
      { name: 'b', balance: 1 },
      { name: 'c', balance: 2 },
      { name: 'd', balance: 4 },
    )
    const names = await db.query({
      kysely: (kysely) =>
        kysely
          .selectFrom('account')
          .select('name')
          .orderBy('balance', 'desc')
          .limit(2)
          .offset(1)
          .execute(),
      drizzle: (drizzle, { account }) =>
        drizzle
          .select({ name: account.name })
          .from(account)
          .orderBy(desc(account.balance))
          .limit(2)
          .offset(1),
    })
    expect(names).toEqual([{ name: 'a' }, { name: 'c' }])
  })

  it('computes a new value from the old one', async () => {
    const db = await open()
    await db.add({ id: 1, name: 'Ada', balance: 10 })
    await db.query({
      kysely: (kysely) =>
        kysely
          .updateTable('account')
          .set((eb) => ({ balance: eb('balance', '+', 5) }))
          .where('id', '=', 1)
          .execute(),
      drizzle: (drizzle, { account }) =>
        drizzle
          .update(account)
          .set({ balance: drizzleSql`${account.balance} + 5` })
          .where(eq(account.id, 1)),
    })
    expect((await db.accounts())[0]?.balance).toBe(15)
  })

  it('inserts what a query selects', async () => {
    const db = await open()
    await db.add({ name: 'Ada', balance: 10 }, { name: 'Alan', balance: 1 })
    await db.query({
      kysely: (kysely) =>
        kysely
          .insertInto('account')
          .columns(['name', 'balance'])
          .expression((eb) =>
            eb
              .selectFrom('account')
              .select([sql<string>`'rich ' || name`.as('name'), 'balance'])
              .where('balance', '>', 5),
          )
          .execute(),
      drizzle: (drizzle, { account }) =>
        drizzle.insert(account).select(
          drizzle
            .select({
              id: drizzleSql<number>`3`.as('id'),
              name: drizzleSql<string>`'rich ' || ${account.name}`.as('name'),
              email: account.email,
              balance: account.balance,
            })
            .from(account)
            .where(gt(account.balance, 5)),
        ),
    })
    expect(await db.names()).toEqual(['Ada', 'Alan', 'rich Ada'])
  })

  it(
    'returns the rows that were inserted, with what the engine filled in',
    ['returning'],
    async () => {
      const db = await open()
      const rows = await db.query({
        kysely: (kysely) =>
          kysely
            .insertInto('account')
            .values([{ name: 'Ada' }, { name: 'Alan' }])
            .returningAll()
            .execute(),
        drizzle: (drizzle, { account }) =>
          drizzle
            .insert(account)
            .values([{ name: 'Ada' }, { name: 'Alan' }])
            .returning(),
      })
      expect(rows).toEqual([
        { id: 1, name: 'Ada', email: null, balance: 0 },
        { id: 2, name: 'Alan', email: null, balance: 0 },
      ])
      expect(await db.accounts()).toEqual(rows)
    },
  )

  it(
    'returns updated rows as they are now, and deleted rows as they were',
    ['returning'],
    async () => {
      const db = await open()
      await db.add({ id: 1, name: 'Ada', balance: 10 }, { id: 2, name: 'Alan', balance: 20 })
      const updated = await db.query({
        kysely: (kysely) =>
          kysely
            .updateTable('account')
            .set({ balance: 11 })
            .where('id', '=', 1)
            .returning(['id', 'balance'])
            .execute(),
        drizzle: (drizzle, { account }) =>
          drizzle
            .update(account)
            .set({ balance: 11 })
            .where(eq(account.id, 1))
            .returning({ id: account.id, balance: account.balance }),
      })
      expect(updated).toEqual([{ id: 1, balance: 11 }])
      const deleted = await db.query({
        kysely: (kysely) =>
          kysely.deleteFrom('account').where('id', '=', 2).returning('name').execute(),
        drizzle: (drizzle, { account }) =>
          drizzle.delete(account).where(eq(account.id, 2)).returning({ name: account.name }),
      })
      expect(deleted).toEqual([{ name: 'Alan' }])
      expect(await db.names()).toEqual(['Ada'])
    },
  )

  it('keeps rows of two tables apart whose columns share a name', async () => {
    const db = await open()
    await db.add({ id: 1, name: 'Ada' })
    await db.run("insert into entry (id, account_id, reference, amount) values (9, 1, 'first', 5)")
    const row = await db.query({
      kysely: (kysely) =>
        kysely
          .selectFrom('account')
          .innerJoin('entry', 'entry.account_id', 'account.id')
          .select(['account.id as account', 'entry.id as entry'])
          .executeTakeFirstOrThrow(),
      drizzle: async (drizzle, { account, entry }) => {
        const [found] = await drizzle
          .select()
          .from(account)
          .innerJoin(entry, eq(entry.accountId, account.id))
        return { account: found?.account.id, entry: found?.entry.id }
      },
    })
    expect(row).toEqual({ account: 1, entry: 9 })
  })

  it('gives statements as text their rows as objects, whatever the columns are called', async () => {
    const db = await open()
    const [row] = await db.rows(`select 1 as "a b", 'x' as "__proto__", 2 as "constructor"`)
    expect(Object.entries(row ?? {})).toEqual([
      ['a b', 1],
      ['__proto__', 'x'],
      ['constructor', 2],
    ])
  })
}
