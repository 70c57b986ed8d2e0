import { transaction } from '@keelson/transactions/kysely'
import { describe, expect, test } from 'vitest'
import { openAccount } from '../../../examples/transactions/accounts.ts'
import { openAccountAndWelcome, withdraw } from '../../../examples/transactions/background.ts'
import { rejection } from '../../support/rejection.ts'
import { engines, openRecipeDatabase, type RecipeDatabase } from './describe-recipe.ts'

/** What becomes of work that nobody awaits. */
function outcomeOf(work: () => Promise<unknown>) {
  let settle: (outcome: unknown) => void
  const outcome = new Promise<unknown>((resolve) => (settle = resolve))
  return {
    work: async () => {
      await work()
      settle('done')
    },
    report: (error: unknown) => settle(error),
    outcome,
  }
}

/** Work that begins with its transaction and ends after it. */
const lateWork = ({ db }: RecipeDatabase) =>
  outcomeOf(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    await openAccount(db, 'written later', 1)
  })

describe.for(engines)('background work on $name', (engine) => {
  test('started by afterCommit runs on after the commit, which does not wait for it', async () => {
    const opened = await openRecipeDatabase(engine)
    const { outcome, ...background } = lateWork(opened)
    await openAccountAndWelcome(opened.db, 'Ada', background)
    expect(await opened.accounts()).toEqual({ Ada: 0 })
    expect(await outcome).toBe('done')
    expect(await opened.accounts()).toEqual({ Ada: 0, 'written later': 1 })
  })

  test('that waits for a commit is not started when there is none', async () => {
    const opened = await openRecipeDatabase(engine)
    await openAccount(opened.db, 'Ada', 0)
    let isStarted = false
    const work = async (): Promise<void> => void (isStarted = true)
    await rejection(openAccountAndWelcome(opened.db, 'Ada', { work, report: () => {} }))
    expect(isStarted).toBe(false)
  })

  test('started with outside() is kept although the transaction is rolled back', async () => {
    const opened = await openRecipeDatabase(engine)
    await openAccount(opened.db, 'Ada', 0)
    const { outcome, ...background } = lateWork(opened)
    expect((await rejection(withdraw(opened.db, 'Ada', 10, background))).message).toContain(
      'less than 10',
    )
    expect(await outcome).toBe('done')
    expect(await opened.accounts()).toEqual({ Ada: 0, 'written later': 1 })
  })

  test('started with nothing is refused once its transaction has ended', async () => {
    const opened = await openRecipeDatabase(engine)
    const { work, report, outcome } = lateWork(opened)
    await transaction(opened.db, async () => {
      work().catch(report)
    })
    expect(await outcome).toMatchObject({
      name: 'TransactionClosedError',
      message: expect.stringContaining('outside(db, fn)'),
    })
    expect(await opened.accounts()).toEqual({})
  })
})

test('SQLite refuses at once a write outside of the transaction that holds its only right to write', async () => {
  const { db, accounts } = await openRecipeDatabase(engines[0]!)
  await openAccount(db, 'Ada', 0)
  const { outcome, ...background } = outcomeOf(() => openAccount(db, 'written at once', 1))
  await rejection(withdraw(db, 'Ada', 10, background))
  expect(await outcome).toMatchObject({ name: 'TransactionDeadlockError' })
  expect(await accounts()).toEqual({ Ada: 0 })
})
