import { avg, count, eq, gt, inArray, max, min, sql as drizzleSql, sum } from 'drizzle-orm'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Contract } from '../contract.ts'
import type { Store } from '../orm.ts'

/** Joins, aggregates, subqueries, common table expressions, relations, and queries that are run again and again. */
export function queryCases({ it, open }: Contract): void {
  const openBooks = async (): Promise<Store> => {
    const db = await open()
    await db.add(
      { id: 1, name: 'Ada', balance: 30 },
      { id: 2, name: 'Alan', balance: 5 },
      { id: 3, name: 'Grace', balance: 0 },
    )
    await db.query<unknown>({
      kysely: (kysely) =>
        kysely
          .insertInto('entry')
          .values(entries.map(({ accountId, ...entry }) => ({ ...entry, account_id: accountId })))
          .execute(),
      drizzle: (drizzle, { entry }) => drizzle.insert(entry).values(entries),
    })
    return db
  }

  it('joins tables, and gives null for what a left join does not find', async () => {
    const db = await openBooks()
    const rows = await db.query({
      kysely: (kysely) =>
        kysely
          .selectFrom('account')
          .leftJoin('entry', 'entry.account_id', 'account.id')
          .select(['account.name', 'entry.reference'])
          .orderBy('account.id')
          .orderBy('entry.id')
          .execute(),
      drizzle: (drizzle, { account, entry }) =>
        drizzle
          .select({ name: account.name, reference: entry.reference })
          .from(account)
          .leftJoin(entry, eq(entry.accountId, account.id))
          .orderBy(account.id, entry.id),
    })
    expect(rows).toEqual([
      { name: 'Ada', reference: 'salary' },
      { name: 'Ada', reference: 'rent' },
      { name: 'Alan', reference: 'gift' },
      { name: 'Grace', reference: null },
    ])
  })

  it('counts, sums, averages and groups', async () => {
    const db = await openBooks()
    const rows = await db.query<object[]>({
      kysely: (kysely) =>
        kysely
          .selectFrom('entry')
          .select((eb) => [
            'account_id as account',
            eb.fn.countAll<number>().as('entries'),
            eb.fn.sum<number>('amount').as('total'),
            eb.fn.avg<number>('amount').as('mean'),
            eb.fn.min('amount').as('least'),
            eb.fn.max('amount').as('most'),
          ])
          .groupBy('account_id')
          .having((eb) => eb.fn.sum('amount'), '>', 0)
          .orderBy('account_id')
          .execute(),
      drizzle: (drizzle, { entry }) =>
        drizzle
          .select({
            account: entry.accountId,
            entries: count(),
            total: sum(entry.amount).mapWith(Number),
            mean: avg(entry.amount).mapWith(Number),
            least: min(entry.amount),
            most: max(entry.amount),
          })
          .from(entry)
          .groupBy(entry.accountId)
          .having(gt(sum(entry.amount), drizzleSql`0`))
          .orderBy(entry.accountId),
    })
    expect(rows).toEqual([
      { account: 1, entries: 2, total: 31, mean: 15.5, least: -9, most: 40 },
      { account: 2, entries: 1, total: 5, mean: 5, least: 5, most: 5 },
    ])
  })

  it('counts nothing as 0 and sums nothing as null', async () => {
    const db = await open()
    const row = await db.query<object | undefined>({
      kysely: (kysely) =>
        kysely
          .selectFrom('entry')
          .select((eb) => [
            eb.fn.countAll<number>().as('entries'),
            eb.fn.sum<number | null>('amount').as('total'),
          ])
          .executeTakeFirst(),
      drizzle: async (drizzle, { entry }) => {
        const [found] = await drizzle
          .select({ entries: count(), total: sum(entry.amount) })
          .from(entry)
        expect(await drizzle.$count(entry)).toBe(0)
        return found
      },
    })
    expect(row).toEqual({ entries: 0, total: null })
  })

  it('asks in subqueries: in a condition, and for a column', async () => {
    const db = await openBooks()
    const rows = await db.query<object[]>({
      kysely: (kysely) =>
        kysely
          .selectFrom('account')
          .select((eb) => [
            'name',
            eb
              .selectFrom('entry')
              .select((sub) => sub.fn.countAll<number>().as('n'))
              .whereRef('entry.account_id', '=', 'account.id')
              .as('entries'),
          ])
          .where('id', 'in', (eb) =>
            eb.selectFrom('entry').select('account_id').where('amount', '>', 0),
          )
          .orderBy('id')
          .execute(),
      drizzle: (drizzle, { account, entry }) =>
        drizzle
          .select({
            name: account.name,
            entries: drizzle.$count(entry, eq(entry.accountId, account.id)),
          })
          .from(account)
          .where(
            inArray(
              account.id,
              drizzle.select({ id: entry.accountId }).from(entry).where(gt(entry.amount, 0)),
            ),
          )
          .orderBy(account.id),
    })
    expect(rows).toEqual([
      { name: 'Ada', entries: 2 },
      { name: 'Alan', entries: 1 },
    ])
  })

  it('names a query with WITH and joins it', async () => {
    const db = await openBooks()
    const rows = await db.query<object[]>({
      kysely: (kysely) =>
        kysely
          .with('total', (cte) =>
            cte
              .selectFrom('entry')
              .select((eb) => ['account_id', eb.fn.sum<number>('amount').as('amount')])
              .groupBy('account_id'),
          )
          .selectFrom('account')
          .innerJoin('total', 'total.account_id', 'account.id')
          .select(['account.name', 'total.amount'])
          .orderBy('account.id')
          .execute(),
      drizzle: (drizzle, { account, entry }) => {
        const total = drizzle.$with('total').as(
          drizzle
            .select({
              accountId: entry.accountId,
              amount: sum(entry.amount).mapWith(Number).as('amount'),
            })
            .from(entry)
            .groupBy(entry.accountId),
        )
        return drizzle
          .with(total)
          .select({ name: account.name, amount: total.amount })
          .from(account)
          .innerJoin(total, eq(total.accountId, account.id))
          .orderBy(account.id)
      },
    })
    expect(rows).toEqual([
      { name: 'Ada', amount: 31 },
      { name: 'Alan', amount: 5 },
    ])
  })

  it('deletes what a query with WITH finds, and counts it', async () => {
    const db = await openBooks()
    const deleted = await db.query<{ reference: string }[]>({
      kysely: (kysely) =>
        kysely
          .with('negative', (cte) => cte.selectFrom('entry').select('id').where('amount', '<', 0))
          .deleteFrom('entry')
          .where('id', 'in', (eb) => eb.selectFrom('negative').select('negative.id'))
          .returning('reference')
          .execute(),
      drizzle: (drizzle, { entry }) => {
        const negative = drizzle.$with('negative').as(
          drizzle
            .select({ id: entry.id })
            .from(entry)
            .where(drizzleSql`${entry.amount} < 0`),
        )
        return drizzle
          .with(negative)
          .delete(entry)
          .where(inArray(entry.id, drizzle.select({ id: negative.id }).from(negative)))
          .returning({ reference: entry.reference })
      },
    })
    expect(deleted).toEqual([{ reference: 'rent' }])
  })

  it('puts the results of two queries together', async () => {
    const db = await openBooks()
    const rows = await db.query({
      kysely: (kysely) =>
        kysely
          .selectFrom('account')
          .select('name as word')
          .union(kysely.selectFrom('entry').select('reference as word'))
          .orderBy('word')
          .execute(),
      drizzle: (drizzle, { account, entry }) =>
        drizzle
          .select({ word: drizzleSql<string>`${account.name}`.as('word') })
          .from(account)
          .union(
            drizzle.select({ word: drizzleSql<string>`${entry.reference}`.as('word') }).from(entry),
          )
          .orderBy(drizzleSql`word`),
    })
    expect(rows.map(({ word }) => word)).toEqual(['Ada', 'Alan', 'Grace', 'gift', 'rent', 'salary'])
  })

  it(
    'follows relations, and gives an empty list where there is nothing',
    ['relationalQueries'],
    async () => {
      const db = await openBooks()
      await db.query({
        kysely: async () => {},
        drizzle: async (drizzle, { account, entry }) => {
          const accounts = await drizzle.query.account.findMany({
            columns: { name: true },
            with: { entries: { columns: { reference: true }, orderBy: entry.id } },
            orderBy: account.id,
          })
          expect(accounts).toEqual([
            { name: 'Ada', entries: [{ reference: 'salary' }, { reference: 'rent' }] },
            { name: 'Alan', entries: [{ reference: 'gift' }] },
            { name: 'Grace', entries: [] },
          ])
        },
      })
    },
  )

  it(
    'finds the first with its relation, and undefined where there is none',
    ['relationalQueries'],
    async () => {
      const db = await openBooks()
      await db.query({
        kysely: async () => {},
        drizzle: async (drizzle, { entry }) => {
          const gift = { where: eq(entry.reference, 'gift'), with: { account: true } } as const
          expect(await drizzle.query.entry.findFirst(gift)).toEqual({
            id: 3,
            accountId: 2,
            reference: 'gift',
            amount: 5,
            account: { id: 2, name: 'Alan', email: null, balance: 5 },
          })
          expect(
            await drizzle.query.entry.findFirst({ where: eq(entry.reference, 'none') }),
          ).toBeUndefined()
        },
      })
    },
  )

  it('runs a query that was built once, with new values each time', async () => {
    const db = await openBooks()
    const found = await db.query({
      kysely: async (kysely) => {
        const query = kysely.selectFrom('account').select('name').where('id', '=', 0).compile()
        const names: (string | undefined)[] = []
        for (const id of [1, 2, 3, 4, 1]) {
          const { rows } = await kysely.executeQuery<{ name: string }>({
            ...query,
            parameters: [id],
          })
          names.push(rows[0]?.name)
        }
        return names
      },
      drizzle: async (drizzle, { account }) => {
        const query = drizzle
          .select({ name: account.name })
          .from(account)
          .where(eq(account.id, drizzleSql.placeholder('id')))
          .prepare()
        const names: (string | undefined)[] = []
        for (const id of [1, 2, 3, 4, 1])
          names.push(((await query.execute({ id })) as { name: string }[])[0]?.name)
        return names
      },
    })
    expect(found).toEqual(['Ada', 'Alan', 'Grace', undefined, 'Ada'])
  })

  it('runs a query again after its table has changed', async () => {
    const db = await open()
    await db.add('Ada')
    const columns = async (): Promise<string[]> =>
      Object.keys((await db.rows('select * from account'))[0] ?? {})
    const before = await columns()
    await db.run('alter table account add column nickname text')
    expect(await columns()).toEqual([...before, 'nickname'])
  })

  it('gives columns that a query computes the names it gives them', async () => {
    const db = await openBooks()
    const rows = await db.query<object[]>({
      kysely: (kysely) =>
        kysely
          .selectFrom('account')
          .select([sql<string>`name || '!'`.as('shout'), 'balance as points'])
          .where('id', '=', 1)
          .execute(),
      drizzle: (drizzle, { account }) =>
        drizzle
          .select({ shout: drizzleSql<string>`${account.name} || '!'`, points: account.balance })
          .from(account)
          .where(eq(account.id, 1)),
    })
    expect(rows).toEqual([{ shout: 'Ada!', points: 30 }])
  })
}

const entries = [
  { id: 1, accountId: 1, reference: 'salary', amount: 40 },
  { id: 2, accountId: 1, reference: 'rent', amount: -9 },
  { id: 3, accountId: 2, reference: 'gift', amount: 5 },
]
