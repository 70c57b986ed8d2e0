import { expect } from 'vitest'
import { rejectionOf, type Contract } from '../contract.ts'
import type { Handle, StreamForms } from '../orm.ts'

/** All of a transaction or none of it, and nothing through its handle once it has ended. */
export function transactionCases({ it, open }: Contract): void {
  it('commits what the callback did, and resolves to what the callback returned', async () => {
    const db = await open()
    const result = await db.transaction(async (tx) => {
      await tx.add('Ada')
      await tx.add('Alan')
      return 'done'
    })
    expect(result).toBe('done')
    expect(await db.names()).toEqual(['Ada', 'Alan'])
  })

  it(
    'rolls back when the callback throws, and rejects with the same error (DZ2)',
    ['failsAlone'],
    async () => {
      const db = await open()
      await db.add('before')
      const mine = new Error('mine')
      const thrown = await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add('Ada')
          await new Promise(setImmediate)
          await tx.setBalance(1, 5)
          throw mine
        }),
      )
      expect(thrown).toBe(mine)
      expect(await db.accounts()).toEqual([{ id: 1, name: 'before', email: null, balance: 0 }])
    },
  )

  it(
    'rolls back whatever is thrown, also when it is no error, or thrown before the first await',
    ['failsAlone'],
    async () => {
      const db = await open()
      for (const value of ['text', undefined, null, 0, { code: 'MINE' }]) {
        const thrown = await rejectionOf(
          db.transaction(async (tx) => {
            await tx.add('Ada')
            throw value
          }),
        )
        expect(thrown).toBe(value)
      }
      const mine = new Error('mine')
      const thrown = await rejectionOf(
        db.transaction(() => {
          throw mine
        }),
      )
      expect(thrown).toBe(mine)
      expect(await db.names()).toEqual([])
    },
  )

  it('does nothing when nothing is done in it', async () => {
    const db = await open()
    expect(await db.transaction(async () => 1)).toBe(1)
    await db.transaction(async () => {})
    await db.add('Ada')
    expect(await db.names()).toEqual(['Ada'])
  })

  it('begins anew after each end, a hundred times', ['failsAlone'], async () => {
    const db = await open()
    for (let n = 1; n <= 100; n++) {
      const ending = db.transaction(async (tx) => {
        await tx.add({ id: n, name: `${n}` })
        if (n % 3 === 0) throw new Error('third')
      })
      await ending.catch(() => {})
    }
    expect(await db.names()).toHaveLength(67)
  })

  it(
    'refuses its handle after the end, and stores nothing through it',
    ['failsAlone'],
    async () => {
      const db = await open()
      for (const fails of [false, true]) {
        let escaped: Handle | undefined
        const ending = db.transaction(async (tx) => {
          escaped = tx
          if (fails) throw new Error('mine')
        })
        await ending.catch(() => {})
        await rejectionOf(escaped!.add('late'))
        await rejectionOf(escaped!.names())
      }
      expect(await db.names()).toEqual([])
    },
  )

  it('refuses its handle while another transaction has the connection', ['outermost'], async () => {
    const db = await open()
    let escaped: Handle | undefined
    await db.transaction(async (tx) => {
      escaped = tx
    })
    const rollback = db.transaction(async (tx) => {
      await tx.add('other')
      await rejectionOf(escaped!.add('late'))
      throw new Error('mine')
    })
    await rejectionOf(rollback)
    expect(await db.names()).toEqual([])
  })

  for (const fails of [false, true]) {
    it(
      `keeps no statement that comes while it ${fails ? 'rolls back' : 'commits'}, unless it takes part (Z2)`,
      fails ? ['failsAlone'] : [],
      async () => {
        const db = await open()
        for (let depth = 0; depth < 40; depth++) {
          let late: Promise<unknown> | undefined
          const ending = db.transaction(async (tx) => {
            await tx.add(`early ${depth}`)
            late = afterMicrotasks(depth).then(() => tx.add(`late ${depth}`))
            late.catch(() => {})
            if (fails) throw new Error('mine')
          })
          const [transaction, statement] = await Promise.allSettled([
            ending,
            ending.then(
              () => late,
              () => late,
            ),
          ])
          const names = await db.names()
          const kept = {
            early: names.includes(`early ${depth}`),
            late: names.includes(`late ${depth}`),
          }
          const committed = transaction.status === 'fulfilled'
          expect({ depth, ...kept }).toEqual({
            depth,
            early: committed,
            late: committed && statement.status === 'fulfilled',
          })
          if (fails) expect(committed).toBe(false)
        }
      },
    )
  }

  it(
    'ends the streams that are open in it: asked for more they throw',
    ['failsAlone', 'endsStreams'],
    async () => {
      const db = await open()
      await db.add('a', 'b', 'c')
      for (const fails of [false, true]) {
        let rows: AsyncIterator<unknown> | undefined
        const ending = db.transaction(async (tx) => {
          rows = tx.stream(names, { chunkRows: 1 })[Symbol.asyncIterator]()
          await rows.next()
          if (fails) throw new Error('mine')
        })
        await ending.catch(() => {})
        await rejectionOf(readToEnd(rows!))
        await db.add('written after the stream')
      }
    },
  )

  it(
    'stores nothing of a branch that goes on after another branch has failed (Z1)',
    ['failsAlone'],
    async () => {
      const db = await open()
      let branch: Promise<unknown> | undefined
      const ending = db.transaction(async (tx) => {
        branch = (async () => {
          // Until it is refused: that the other branch has failed is not known everywhere at once.
          for (;;) {
            await tx.add('a step')
            await new Promise(setImmediate)
          }
        })()
        await Promise.all([branch, tx.run('insert into nowhere values (1)')])
      })
      await rejectionOf(ending)
      await rejectionOf(branch!)
      expect(await db.names()).toEqual([])
    },
  )

  it('keeps of statements that the callback did not await those that it reports as done', async () => {
    const db = await open()
    let sent: Promise<unknown>[] = []
    const [ending] = await Promise.allSettled([
      db.transaction(async (tx) => {
        sent = ['a', 'b', 'c'].map((name) => tx.add(name))
        for (const each of sent) each.catch(() => {})
      }),
    ])
    const outcomes = await Promise.allSettled(sent)
    const reported = ['a', 'b', 'c'].filter((_, n) => outcomes[n]?.status === 'fulfilled')
    expect(await db.names()).toEqual(ending.status === 'fulfilled' ? reported : [])
  })
}

const names: StreamForms<{ name: string }> = {
  kysely: (db) => db.selectFrom('account').select('name'),
  drizzle: (db, { account }) => db.select({ name: account.name }).from(account),
}

async function readToEnd(rows: AsyncIterator<unknown>): Promise<void> {
  while ((await rows.next()).done !== true) continue
}

async function afterMicrotasks(depth: number): Promise<void> {
  for (let n = 0; n < depth; n++) await Promise.resolve()
}
