import { afterCommit, beforeCommit, transaction } from '@keelson/transactions/kysely'
import { expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, engines } from './model/engines.ts'

describeOn(engines, (engine) => {
  const start = async () => {
    const opened = await engine.open()
    const { db } = opened
    return { ...opened, add: (name: string) => db.insertInto('item').values({ name }).execute() }
  }

  test('T15: what has joined and is not awaited is not kept by half', async () => {
    const { db, add, names, assertIdle } = await start()
    const joined: Promise<unknown>[] = []
    let goOn = (): void => {}
    const held = new Promise<void>((resolve) => (goOn = resolve))
    const error = await rejection(
      transaction(db, async () => {
        await add('x1')
        const part = async (): Promise<void> => {
          await add('x2')
          await held
          await add('x3')
        }
        joined.push(rejection(transaction(db, part, { propagation: 'required' })))
        // x2 is in when the function returns.
        await db.selectFrom('item').selectAll().execute()
      }),
    )
    expect(error.name).toBe('TransactionClosedError')
    expect(error.message).toMatch(
      /has returned while a part of it had not ended: a transaction, open for \d+ ms, begun at .*unfinished-parts\.test\.ts:\d+.*Everything was rolled back/,
    )
    goOn()
    expect(await joined[0]).toMatchObject({ name: 'TransactionClosedError' })
    expect(await names('x')).toEqual([])
    await assertIdle()
  })

  test('T15: what has joined, was awaited and failed is told as before', async () => {
    const { db, add, names } = await start()
    const failure = new Error('no')
    const error = await rejection(
      transaction(db, async () => {
        await add('x1')
        const part = () => Promise.reject(failure)
        await transaction(db, part, { propagation: 'required' }).catch(() => {})
      }),
    )
    expect(error).toMatchObject({ name: 'UnexpectedRollbackError', cause: failure })
    expect(await names('x')).toEqual([])
  })

  test.skipIf(!engine.hasSavepoints)(
    'a nested one that is not awaited undoes the whole, also where it only waits for its turn',
    async () => {
      const { db, add, names, assertIdle } = await start()
      let hooks = 0
      const nested: Promise<unknown>[] = []
      const error = await rejection(
        transaction(db, async () => {
          const part = async (): Promise<void> => {
            await add('x2')
            await beforeCommit(db, () => void hooks++)
            await afterCommit(db, () => void hooks++)
          }
          // It has to wait for this one; nobody waits for either.
          void add('x1').catch(() => {})
          nested.push(rejection(transaction(db, part)))
        }),
      )
      expect(error.name).toBe('TransactionClosedError')
      expect(error.message).toMatch(/a part of it had not ended: a nested transaction, .*begun at/)
      expect(await nested[0]).toMatchObject({ name: 'TransactionClosedError' })
      expect(hooks).toBe(0)
      expect(await names('x')).toEqual([])
      await assertIdle()
    },
  )
})
