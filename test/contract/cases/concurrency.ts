import { eq } from 'drizzle-orm'
import { expect } from 'vitest'
import type { Contract } from '../contract.ts'
import type { Handle } from '../orm.ts'

/** Many calls in flight at once: each gets its own answer, and none gets lost. */
export function concurrencyCases({ it, open, openAgain, failureOf }: Contract): void {
  it('answers 200 queries at once, each with its own rows', async () => {
    const db = await open()
    await db.add(
      ...Array.from({ length: 200 }, (_, n) => ({ id: n + 1, name: `account ${n + 1}` })),
    )
    const ids = Array.from({ length: 200 }, (_, n) => ((n * 77) % 200) + 1)
    const names = await Promise.all(ids.map((id) => nameOf(db, id)))
    expect(names).toEqual(ids.map((id) => `account ${id}`))
  })

  it('carries out 200 inserts at once, each once', async () => {
    const db = await open()
    const written = await Promise.all(Array.from({ length: 200 }, (_, n) => db.add(`account ${n}`)))
    expect(written.map(({ affected }) => affected)).toEqual(Array.from({ length: 200 }, () => 1))
    expect((await db.names()).toSorted()).toEqual(
      Array.from({ length: 200 }, (_, n) => `account ${n}`).toSorted(),
    )
  })

  it('lets of many queries at once only those fail that are wrong', ['failsAlone'], async () => {
    const db = await open()
    await db.add('Ada')
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, n) =>
        n % 3 === 0
          ? db.add({ id: 1, name: 'again' })
          : n % 3 === 1
            ? nameOf(db, 1)
            : db.add(`account ${n}`),
      ),
    )
    expect(outcomes.map(({ status }) => status)).toEqual(
      Array.from({ length: 60 }, (_, n) => (n % 3 === 0 ? 'rejected' : 'fulfilled')),
    )
    expect(await db.names()).toHaveLength(21)
  })

  it(
    'keeps transactions at once apart: each commits or rolls back alone',
    ['failsAlone'],
    async () => {
      const db = await open()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) =>
          db.transaction(async (tx) => {
            await tx.add(`${n} a`)
            await new Promise(setImmediate)
            await tx.add(`${n} b`)
            if (n % 2 === 1) throw new Error('odd')
          }),
        ),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(
        Array.from({ length: 20 }, (_, n) => (n % 2 === 1 ? 'rejected' : 'fulfilled')),
      )
      const even = Array.from({ length: 10 }, (_, n) => [`${n * 2} a`, `${n * 2} b`]).flat()
      expect((await db.names()).toSorted()).toEqual(even.toSorted())
    },
  )

  it('loses no update of 50 transactions that read, compute and write', ['oneWriter'], async () => {
    const db = await open()
    await db.add({ id: 1, name: 'Ada', balance: 0 })
    await Promise.all(
      Array.from({ length: 50 }, () =>
        db.transaction(async (tx) => {
          const [account] = await tx.accounts()
          await new Promise(setImmediate)
          await tx.setBalance(1, account!.balance + 1)
        }),
      ),
    )
    expect((await db.accounts())[0]?.balance).toBe(50)
  })

  it('lets transactions in in the order in which they came', ['oneWriter'], async () => {
    const db = await open()
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        db.transaction(async (tx) => {
          order.push(n)
          await tx.add(`${n}`)
          await new Promise(setImmediate)
        }),
      ),
    )
    expect(order).toEqual(order.toSorted((a, b) => a - b))
    expect(await db.names()).toEqual(order.map(String))
  })

  it('carries out writes in the order in which they were sent', ['oneWriter'], async () => {
    const db = await open()
    await db.add({ id: 1, name: 'Ada' })
    await Promise.all(Array.from({ length: 50 }, (_, n) => db.setBalance(1, n)))
    expect((await db.accounts())[0]?.balance).toBe(49)
  })

  it('carries out statements of one transaction in the order in which they were sent', async () => {
    const db = await open()
    await db.transaction(async (tx) => {
      await tx.add({ id: 1, name: 'Ada' })
      await Promise.all(Array.from({ length: 50 }, (_, n) => tx.setBalance(1, n)))
      expect((await tx.accounts())[0]?.balance).toBe(49)
    })
    expect((await db.accounts())[0]?.balance).toBe(49)
  })

  it('sees through one handle what another of the same file has written', ['files'], async () => {
    const db = await open()
    const other = await openAgain(db)
    for (let n = 1; n <= 20; n++) {
      await (n % 2 === 0 ? db : other).add(`account ${n}`)
      expect(await db.names()).toHaveLength(n)
      expect(await other.names()).toHaveLength(n)
    }
  })

  it('goes on after a query that failed', ['failsAlone'], async () => {
    const db = await open()
    await failureOf(db.rows('select * from nowhere'))
    await db.add('Ada')
    expect(await db.names()).toEqual(['Ada'])
  })
}

async function nameOf(db: Handle, id: number): Promise<string | undefined> {
  const [row] = await db.query({
    kysely: (kysely) => kysely.selectFrom('account').select('name').where('id', '=', id).execute(),
    drizzle: (drizzle, { account }) =>
      drizzle.select({ name: account.name }).from(account).where(eq(account.id, id)),
  })
  return row?.name
}
