import { TransactionAbortedError } from '@keelson/core'
import { expect } from 'vitest'
import { rejectionOf, type Contract } from '../contract.ts'

/** The truth about a transaction in which something failed: what is kept of it, and why. */
export function transactionFailureCases({ it, open, failureOf, engine, orm }: Contract): void {
  it(
    'rejects with the very error of the statement that failed, and rolls back',
    ['failsAlone'],
    async () => {
      const db = await open()
      let first: unknown
      const thrown = await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add({ id: 1, name: 'Ada' })
          await tx.add({ id: 1, name: 'again' }).catch((error: unknown) => {
            first = error
            throw error
          })
        }),
      )
      expect(first).toBeDefined()
      expect(thrown).toBe(first)
      expect(await db.names()).toEqual([])
    },
  )

  it(
    'goes on after a failed statement that the callback catches',
    ['statementRollback'],
    async () => {
      const db = await open()
      await db.transaction(async (tx) => {
        await tx.add({ id: 1, name: 'Ada' })
        await failureOf(tx.add({ id: 1, name: 'again' }))
        await tx.add({ id: 2, name: 'Alan' })
      })
      expect(await db.names()).toEqual(['Ada', 'Alan'])
    },
  )

  if (!engine.supports.statementRollback) {
    it(
      'keeps nothing after a failed statement, whoever catches it, and says why',
      ['failsAlone'],
      async () => {
        const db = await open()
        const caught: unknown[] = []
        const failure = await failureOf(
          db.transaction(async (tx) => {
            await tx.add({ id: 1, name: 'Ada' })
            caught.push(await failureOf(tx.add({ id: 1, name: 'again' })))
            const refusal = await failureOf(tx.add({ id: 2, name: 'Alan' }))
            expect(refusal).toBeInstanceOf(TransactionAbortedError)
            expect(orm.unwrap(refusal.cause)).toBe(caught[0])
          }),
        )
        expect(failure).toBeInstanceOf(TransactionAbortedError)
        expect(orm.unwrap(failure.cause)).toBe(caught[0])
        expect(await db.names()).toEqual([])
      },
    )
  }

  it('keeps no row of a statement that fails at its last row', ['failsAlone'], async () => {
    const db = await open()
    await failureOf(db.add({ id: 1, name: 'a' }, { id: 2, name: 'b' }, { id: 1, name: 'c' }))
    expect(await db.names()).toEqual([])
  })

  it(
    'rejects with the error for which the engine rolled back, not with the failing rollback (S6)',
    ['autoRollback'],
    async () => {
      const db = await open()
      let first: unknown
      const thrown = await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add({ id: 1, name: 'Ada' })
          await tx.run(engine.sql.rollsBack).catch((error: unknown) => {
            first = error
            throw error
          })
        }),
      )
      expect(orm.unwrap(first)).toSatisfy(engine.isEngineError)
      expect(thrown).toBe(first)
      expect(await db.names()).toEqual([])
      await db.add('after')
    },
  )

  it(
    'refuses what follows once the engine has rolled back, so that none of it survives (S6b)',
    ['autoRollback'],
    async () => {
      const db = await open()
      let first: unknown
      const failure = await failureOf(
        db.transaction(async (tx) => {
          await tx.add({ id: 1, name: 'Ada' })
          first = await failureOf(tx.run(engine.sql.rollsBack))
          await tx.add({ id: 2, name: 'after' })
        }),
      )
      expect(failure).toBeInstanceOf(TransactionAbortedError)
      expect(orm.unwrap(failure.cause)).toBe(first)
      expect(await db.names()).toEqual([])
    },
  )

  it(
    'reports no commit when the engine has rolled back and the callback did not notice (S6b)',
    ['autoRollback'],
    async () => {
      const db = await open()
      let first: unknown
      const failure = await failureOf(
        db.transaction(async (tx) => {
          await tx.add({ id: 1, name: 'Ada' })
          first = await failureOf(tx.run(engine.sql.rollsBack))
        }),
      )
      expect(failure).toBeInstanceOf(TransactionAbortedError)
      expect(orm.unwrap(failure.cause)).toBe(first)
      expect(await db.names()).toEqual([])
      await db.transaction((tx) => tx.add('after'))
      expect(await db.names()).toEqual(['after'])
    },
  )

  it(
    "rejects with the callback's own error when the engine has rolled back before it",
    ['autoRollback'],
    async () => {
      const db = await open()
      const mine = new Error('mine')
      const thrown = await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add({ id: 1, name: 'Ada' })
          await failureOf(tx.run(engine.sql.rollsBack))
          throw mine
        }),
      )
      expect(thrown).toBe(mine)
      await db.add('after')
      expect(await db.names()).toEqual(['after'])
    },
  )

  it(
    'rolls back when the commit itself fails, and lets the next one begin',
    ['deferredConstraints'],
    async () => {
      const db = await open()
      await db.run('create table parent (id integer primary key)')
      await db.run(
        'create table child (parent_id integer references parent (id) deferrable initially deferred)',
      )
      const failure = await failureOf(
        db.transaction((tx) => tx.run('insert into child values (1)')),
      )
      expect(failure).toSatisfy(engine.isEngineError)
      expect(await db.rows('select * from child')).toEqual([])
      await db.transaction(async (tx) => {
        await tx.run('insert into child values (1)')
        await tx.run('insert into parent values (1)')
      })
      expect(await db.rows('select * from child')).toEqual([{ parent_id: 1 }])
    },
  )

  it(
    'undoes CREATE, ALTER and DROP with everything else',
    ['failsAlone', 'transactionalDdl'],
    async () => {
      const db = await open()
      await db.add('Ada')
      await rejectionOf(
        db.transaction(async (tx) => {
          await tx.run('create table extra (id integer)')
          await tx.run('insert into extra values (1)')
          await tx.run('alter table counter add column unit text')
          await tx.run('drop table sample')
          expect(await tx.rows('select * from extra')).toEqual([{ id: 1 }])
          throw new Error('mine')
        }),
      )
      await failureOf(db.rows('select * from extra'))
      await failureOf(db.rows('select unit from counter'))
      expect(await db.rows('select * from sample')).toEqual([])
      await db.transaction((tx) => tx.run('create table extra (id integer)'))
      expect(await db.rows('select * from extra')).toEqual([])
    },
  )
}
