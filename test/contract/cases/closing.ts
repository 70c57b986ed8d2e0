import { expect } from 'vitest'
import { rejectionOf, type Contract } from '../contract.ts'
import type { Store, StreamForms } from '../orm.ts'

/** Closing settles whatever is open, refuses what comes later, and loses nothing that was committed. */
export function closingCases({ it, open, openAgain }: Contract): void {
  it('may be closed twice, also at once', async () => {
    const db = await open()
    await Promise.all([db.close(), db.close()])
    await db.close()
  })

  it('may be closed before anything was asked of it', ['files'], async () => {
    const db = await openAgain(await open())
    await db.close()
  })

  it('refuses every use after it was closed', async () => {
    const db = await open()
    await db.close()
    await rejectionOf(db.names())
    await rejectionOf(db.add('late'))
    await rejectionOf(db.transaction((tx) => tx.add('late')))
    await rejectionOf(firstOf(db))
  })

  it('keeps everything that was committed, and nothing else', ['files'], async () => {
    const db = await open()
    await db.add('autocommit')
    await db.transaction((tx) => tx.add('committed'))
    await rejectionOf(
      db.transaction(async (tx) => {
        await tx.add('rolled back')
        throw new Error('mine')
      }),
    )
    await db.close()
    const again = await openAgain(db)
    expect(await again.names()).toEqual(['autocommit', 'committed'])
  })

  it('lets an open transaction finish', ['files'], async () => {
    const db = await open()
    let closing: Promise<void> | undefined
    const outcomes = await Promise.allSettled([
      db.transaction(async (tx) => {
        await tx.add('before')
        closing = db.close()
        await tx.add('during')
      }),
    ])
    await closing
    const names = await (await openAgain(db)).names()
    expect({ outcomes: outcomes.map(({ status }) => status), names }).toEqual({
      outcomes: ['fulfilled'],
      names: ['before', 'during'],
    })
  })

  it('settles while a stream is open, and the stream throws', async () => {
    const db = await open()
    await db.add(...Array.from({ length: 50 }, (_, n) => `account ${n}`))
    const rows = db.stream(ids, { chunkRows: 1 })[Symbol.asyncIterator]()
    await rows.next()
    await db.close()
    await rejectionOf(
      (async () => {
        for (let next = await rows.next(); next.done !== true; next = await rows.next());
      })(),
    )
  })

  it(
    'settles when queries are in flight, and stores of them those that it reports as done',
    ['files'],
    async () => {
      const db = await open()
      const writes = Array.from({ length: 20 }, (_, n) =>
        db.add({ id: n + 1, name: `account ${n}` }),
      )
      const transaction = db.transaction((tx) => tx.add({ id: 100, name: 'transaction' }))
      const [outcomes] = await Promise.all([
        Promise.allSettled([...writes, transaction]),
        db.close(),
      ])
      const done = outcomes.flatMap(({ status }, n) =>
        status === 'fulfilled' ? [n < 20 ? `account ${n}` : 'transaction'] : [],
      )
      expect(await (await openAgain(db)).names()).toEqual(done)
    },
  )
}

const ids: StreamForms<{ id: number }> = {
  kysely: (db) => db.selectFrom('account').select('id').orderBy('id'),
  drizzle: (db, { account }) => db.select({ id: account.id }).from(account).orderBy(account.id),
}

async function firstOf(db: Store): Promise<unknown> {
  for await (const row of db.stream(ids)) return row
  return undefined
}
