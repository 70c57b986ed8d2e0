import { ConnectionBusyError, KeelsonError } from '@keelson/core'
import { expect } from 'vitest'
import { elsewhere, rejectionOf, type Contract } from '../contract.ts'

/** Nobody sees what is not committed, and nobody else's statements get into a transaction. */
export function isolationCases({ it, open, failureOf }: Contract): void {
  it('sees its own writes', async () => {
    const db = await open()
    await db.transaction(async (tx) => {
      await tx.add('Ada')
      expect(await tx.names()).toEqual(['Ada'])
      await tx.setBalance(1, 9)
      expect((await tx.accounts())[0]?.balance).toBe(9)
    })
  })

  it(
    'shows others nothing before the commit, and everything after it',
    ['concurrentReadsDuringTransaction'],
    async () => {
      const db = await open()
      await db.add('Ada')
      await db.transaction(async (tx) => {
        await tx.add('Alan')
        await tx.setBalance(1, 9)
        expect(await elsewhere(() => db.accounts())).toEqual([
          { id: 1, name: 'Ada', email: null, balance: 0 },
        ])
      })
      expect(await db.accounts()).toMatchObject([{ balance: 9 }, { name: 'Alan' }])
    },
  )

  it(
    'shows others nothing of what it rolls back',
    ['concurrentReadsDuringTransaction'],
    async () => {
      const db = await open()
      const seen: string[][] = []
      await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add('Ada')
          seen.push(await elsewhere(() => db.names()))
          throw new Error('mine')
        }),
      )
      seen.push(await db.names())
      expect(seen).toEqual([[], []])
    },
  )

  it(
    'takes in no statement of anyone else: a write reported as done outlives a rollback beside it (DZ6)',
    ['outermost'],
    async () => {
      const db = await open()
      let outside: Promise<unknown> | undefined
      await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add({ id: 1, name: 'inside' })
          outside = elsewhere(() => db.add({ id: 2, name: 'outside' }))
          await tx.add({ id: 3, name: 'inside' })
          await new Promise(setImmediate)
          throw new Error('mine')
        }),
      )
      await outside
      expect(await db.names()).toEqual(['outside'])
    },
  )

  it('takes in no transaction of anyone else (DZ6)', ['outermost'], async () => {
    const db = await open()
    let outside: Promise<unknown> | undefined
    await rejectionOf(
      db.transaction(async (tx) => {
        await tx.add({ id: 1, name: 'inside' })
        outside = elsewhere(() => db.transaction((other) => other.add({ id: 2, name: 'outside' })))
        await new Promise(setImmediate)
        throw new Error('mine')
      }),
    )
    await outside
    expect(await db.names()).toEqual(['outside'])
  })

  it(
    'fails, and does not hang, when it awaits a write on the database that waits for it (S8)',
    ['oneWriter', 'explicitHandles'],
    async () => {
      const db = await open({ waitMs: 50 })
      const failure = await failureOf(
        db.transaction(async (tx) => {
          await tx.add('inside')
          await db.add('outside')
        }),
      )
      expect(failure).toBeInstanceOf(ConnectionBusyError)
      expect(failure.message).toMatch(/insert into "account"/)
      await db.add('after')
      expect(await db.names()).toEqual(['after'])
    },
  )

  it(
    'fails, and does not hang, when it awaits another transaction of the database (S9)',
    ['oneWriter', 'explicitHandles'],
    async () => {
      const db = await open({ waitMs: 50 })
      const failure = await failureOf(
        db.transaction(async (tx) => {
          await tx.add('inside')
          await db.transaction((other) => other.add('outside'))
        }),
      )
      expect(failure).toBeInstanceOf(ConnectionBusyError)
      await db.add('after')
      expect(await db.names()).toEqual(['after'])
    },
  )

  it(
    'goes on when the callback catches that failure',
    ['oneWriter', 'explicitHandles'],
    async () => {
      const db = await open({ waitMs: 50 })
      await db.transaction(async (tx) => {
        await tx.add('inside')
        await failureOf(db.add('outside'))
        await tx.add('inside too')
      })
      expect(await db.names()).toEqual(['inside', 'inside too'])
    },
  )

  it(
    'refuses BEGIN, COMMIT and ROLLBACK as plain SQL, and stays what it was',
    ['failsAlone'],
    async () => {
      const db = await open()
      for (const statement of ['begin', 'commit', 'rollback', 'end']) {
        expect(await failureOf(db.run(statement))).toBeInstanceOf(KeelsonError)
      }
      await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add('Ada')
          for (const statement of ['begin', '/* so? */ commit', 'ROLLBACK', 'end']) {
            expect(await failureOf(tx.run(statement))).toBeInstanceOf(KeelsonError)
          }
          throw new Error('mine')
        }),
      )
      expect(await db.names()).toEqual([])
    },
  )
}
