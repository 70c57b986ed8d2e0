import {
  BufferTransactionError,
  createWriteBuffer,
  RowDroppedError,
} from '@keelson/bulk-insert/kysely'
import { outside, transaction } from '@keelson/transactions/kysely'
import { describe, expect, test, vi } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { expectBalance, open, row, rows, setups, type Tables } from './fixture.ts'

const wrapped = setups.filter(({ isWrapped }) => isWrapped)

describe.for(wrapped)('$engine', (setup) => {
  test('B6: a row that was added in a transaction waits for its commit, and is written outside of it', async () => {
    const { db, buffer, ids } = await open(setup)
    const events = buffer({ lingerMs: 0 })
    let added: Promise<unknown> | undefined
    await transaction(db, async () => {
      await db.insertInto('event').values(row(1)).execute()
      added = events.add(row(2))
      expect(events.stats).toMatchObject({ accepted: 0, deferred: 1 })
      await db.insertInto('event').values(row(3)).execute()
    })
    await added
    expect(await ids()).toEqual([1, 3, 2])
    expect(events.stats).toMatchObject({ accepted: 1, written: 1, deferred: 0 })
  })

  test('B6: it is dropped when the transaction is rolled back', async () => {
    const { db, buffer, ids } = await open(setup)
    const onLost = vi.fn()
    const events = buffer({ lingerMs: 0, onLost })
    const added: Promise<unknown>[] = []
    const failure = new Error('the handler failed')
    const thrown = await rejection(
      transaction(db, async () => {
        added.push(events.add(row(1)), events.addMany(rows(2, 3)))
        throw failure
      }),
    )
    expect(thrown).toBe(failure)
    const error = await rejection(added[0]!)
    expect(error).toBeInstanceOf(RowDroppedError)
    expect(error.message).toMatch(/^The row was added in a transaction that was rolled back/)
    expect(await rejection(added[1]!)).toMatchObject({ code: 'ROWS_REJECTED' })
    expect(onLost).toHaveBeenCalledTimes(3)
    await events.add(row(4))
    expect(await ids()).toEqual([4])
    expect(events.stats).toMatchObject({ accepted: 1, deferred: 0 })
  })

  test('B6: rows of others are written while a transaction is open, and are not of it', async () => {
    const { db, buffer, ids } = await open(setup)
    const events = buffer({ lingerMs: 0 })
    const before = events.add(row(1))
    if (setup.engine === 'postgresql') {
      await rejection(
        transaction(db, async () => {
          await before
          throw new Error('rolled back')
        }),
      )
    }
    await before
    expect(await ids()).toEqual([1])
  })

  test('flush() and close() inside a transaction are refused, since they could wait for it', async () => {
    const { db, buffer } = await open(setup)
    const events = buffer()
    await transaction(db, async () => {
      for (const call of [() => events.flush(), () => events.close()]) {
        const error = await rejection(call)
        expect(error).toBeInstanceOf(BufferTransactionError)
        expect(error.message).toMatch(/^(flush|close)\(\) cannot be called inside a transaction: /)
      }
      if (setup.engine === 'postgresql') await outside(db, () => events.flush())
    })
    await events.close()
  })
})

test('a row of a nested transaction that is rolled back is dropped, and those around it are kept', async () => {
  const { db, buffer, ids } = await open({ engine: 'sqlite', isWrapped: true })
  const events = buffer()
  const added: Promise<unknown>[] = []
  await transaction(db, async () => {
    added.push(events.add(row(1)))
    await rejection(
      transaction(db, async () => {
        added.push(events.add(row(2)))
        throw new Error('this step failed')
      }),
    )
    added.push(events.add(row(3)))
    expect(events.stats.deferred).toBe(2)
  })
  const [first, second, third] = await Promise.allSettled(added)
  expect([first?.status, second?.status, third?.status]).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
  ])
  expect(await ids()).toEqual([1, 3])
})

test("B3: with overflow 'error' rows of an open transaction have their room reserved", async () => {
  const { db, buffer, ids } = await open({ engine: 'sqlite', isWrapped: true })
  const events = buffer({ maxRows: 2, overflow: 'error', onLost: () => {} })
  await transaction(db, async () => {
    void events.add(row(1))
    void events.add(row(2))
    expect(await rejection(events.add(row(3)))).toMatchObject({ code: 'BUFFER_FULL' })
    expect(await rejection(outside(db, () => events.add(row(4))))).toMatchObject({
      code: 'BUFFER_FULL',
    })
  })
  await events.flush()
  expect(await ids()).toEqual([1, 2])
  expectBalance(events.stats)
})

test('a row of a transaction that is committed after the buffer was closed is refused', async () => {
  const { db, buffer, ids } = await open({ engine: 'sqlite', isWrapped: true })
  const events = buffer()
  let added: Promise<unknown> | undefined
  await transaction(db, async () => {
    added = events.add(row(1))
    added.catch(() => {})
    await outside(db, () => events.close())
  })
  expect(await rejection(added!)).toMatchObject({ code: 'BUFFER_CLOSED' })
  expect(await ids()).toEqual([])
})

describe.for(setups)('$engine, wrapped: $isWrapped', ({ engine, isWrapped }) => {
  test('a buffer of the handle of a transaction is refused', async () => {
    const { db } = await open({ engine, isWrapped })
    await db.transaction().execute(async (tx) => {
      const error = await rejection(() => createWriteBuffer<Tables, 'event'>(tx, 'event'))
      expect(error).toBeInstanceOf(BufferTransactionError)
      expect(error.message).toMatch(
        /^createWriteBuffer\(\) cannot write through the handle of a transaction: .* Make the buffer of the database itself\. .*withTransactions\(\)/,
      )
    })
  })
})

test('a buffer that is opened inside a transaction writes outside of it', async () => {
  const { db, ids } = await open({ engine: 'postgresql', isWrapped: true })
  await rejection(
    transaction(db, async () => {
      const events = createWriteBuffer(db, 'event')
      await outside(db, () => events.add(row(1)))
      await outside(db, () => events.close())
      throw new Error('rolled back')
    }),
  )
  expect(await ids()).toEqual([1])
})
