import { KeelsonError } from '@keelson/core'
import { expect } from 'vitest'
import { elsewhere, type Contract } from '../contract.ts'

/** A setting of a transaction holds, or is refused; it is never ignored. */
export function transactionSettingCases({ it, open, failureOf, engine, orm }: Contract): void {
  it(
    'reads and refuses to write when it is read only, and binds nobody else (S5)',
    ['readOnlyTransactions'],
    async () => {
      const db = await open()
      await db.add('Ada')
      const failure = await failureOf(
        db.transaction(
          async (tx) => {
            expect(await tx.names()).toEqual(['Ada'])
            await tx.add('Alan')
          },
          { accessMode: 'read only' },
        ),
      )
      expect(failure).toSatisfy(engine.isEngineError)
      await db.add('Grace')
      await db.transaction((tx) => tx.add('Edsger'))
      expect(await db.names()).toEqual(['Ada', 'Grace', 'Edsger'])
    },
  )

  it('refuses DDL when it is read only', ['readOnlyTransactions'], async () => {
    const db = await open()
    await failureOf(
      db.transaction((tx) => tx.run('create table extra (id integer)'), {
        accessMode: 'read only',
      }),
    )
    await failureOf(db.rows('select * from extra'))
  })

  it(
    'sees one state from begin to end when it is read only, and keeps nobody from writing',
    ['readOnlyTransactions', 'concurrentReadsDuringTransaction'],
    async () => {
      const db = await open()
      await db.add('Ada')
      await db.transaction(
        async (tx) => {
          expect(await tx.names()).toEqual(['Ada'])
          await elsewhere(() => db.add('Alan'))
          expect(await tx.names()).toEqual(['Ada'])
        },
        { accessMode: 'read only' },
      )
      expect(await db.names()).toEqual(['Ada', 'Alan'])
    },
  )

  it('writes when it is asked to be read write', async () => {
    const db = await open()
    await db.transaction((tx) => tx.add('Ada'), { accessMode: 'read write' })
    expect(await db.names()).toEqual(['Ada'])
  })

  it('refuses by its name an isolation level that the engine does not have, and does not begin (S5)', async () => {
    const db = await open()
    for (const isolationLevel of isolationLevels.filter(
      (level) => !engine.isolationLevels.includes(level),
    )) {
      let called = false
      const failure = await failureOf(
        db.transaction(
          async (tx) => {
            called = true
            await tx.add('Ada')
          },
          { isolationLevel },
        ),
      )
      expect(failure).toBeInstanceOf(KeelsonError)
      expect(failure).toMatchObject({ option: 'isolationLevel' })
      if (orm.lacks.driverRefusals === undefined) expect(failure.name).toBe('OptionError')
      expect(called).toBe(false)
    }
    await db.add('after')
    expect(await db.names()).toEqual(['after'])
  })
}

const isolationLevels = [
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
  'snapshot',
]
