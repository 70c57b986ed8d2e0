import { transaction } from '@keelson/transactions/kysely'
import DataLoader from 'dataloader'
import { describe, expect, test } from 'vitest'
import { openAccount } from '../../../examples/transactions/accounts.ts'
import { loadBalances, loaderPerScope } from '../../../examples/transactions/dataloader.ts'
import { engines, openRecipeDatabase, type RecipeDatabase } from './describe-recipe.ts'

type LoaderOf = () => DataLoader<string, number | undefined>

/** Two transactions ask in one tick, each for what it has written and for what the other one has. */
async function askInTwoTransactions({ db }: RecipeDatabase, loaderOf: LoaderOf) {
  const bothHaveWritten = barrier(2)
  const bothHaveRead = barrier(2)
  const ask = (owner: string) =>
    transaction(db, async () => {
      await openAccount(db, owner, 1)
      await bothHaveWritten()
      const balances = await Promise.all(['Ada', 'Grace'].map((each) => loaderOf().load(each)))
      await bothHaveRead()
      return balances
    })
  const [ada, grace] = await Promise.all([ask('Ada'), ask('Grace')])
  return { ada, grace }
}

describe('a DataLoader on PostgreSQL', () => {
  test('with one loader for all a transaction reads what another has not committed, and not what it wrote', async () => {
    const opened = await openRecipeDatabase(engines[1]!)
    const batches: (readonly string[])[] = []
    const shared = new DataLoader(
      (owners: readonly string[]) => {
        batches.push(owners)
        return loadBalances(opened.db, owners)
      },
      { cache: false },
    )
    const { ada, grace } = await askInTwoTransactions(opened, () => shared)
    // One batch, read in one of the transactions: the other one was told what is not so.
    expect(batches).toEqual([['Ada', 'Grace', 'Ada', 'Grace']])
    expect(ada).toEqual(grace)
    expect([
      [1, undefined],
      [undefined, 1],
    ]).toContainEqual(ada)
  })

  test('with a loader for each scope no batch carries keys of another transaction', async () => {
    const opened = await openRecipeDatabase(engines[1]!)
    const batches: (readonly string[])[] = []
    const loaderOf = loaderPerScope(opened.db, (owners: readonly string[]) => {
      batches.push(owners)
      return loadBalances(opened.db, owners)
    })
    expect(await askInTwoTransactions(opened, loaderOf)).toEqual({
      ada: [1, undefined],
      grace: [undefined, 1],
    })
    expect(batches).toEqual([
      ['Ada', 'Grace'],
      ['Ada', 'Grace'],
    ])
  })
})

describe.for(engines)('a loader for each scope on $name', (engine) => {
  test('asks once for the keys of one tick, and sees what the scope has written', async () => {
    const opened = await openRecipeDatabase(engine)
    const { db, log } = opened
    await openAccount(db, 'Ada', 1)
    const loaderOf = loaderPerScope(db, (owners: readonly string[]) => loadBalances(db, owners))
    await transaction(db, async () => {
      const parent = loaderOf()
      expect(loaderOf()).toBe(parent)
      await transaction(db, async () => {
        expect(loaderOf()).not.toBe(parent)
        await openAccount(db, 'Grace', 2)
        log.length = 0
        expect(await Promise.all([loaderOf().load('Ada'), loaderOf().load('Grace')])).toEqual([
          1, 2,
        ])
        expect(log).toHaveLength(1)
        throw new Error('undone')
      }).catch(() => {})
      expect(await loaderOf().load('Grace')).toBeUndefined()
    })
    expect(await loaderOf().load('Ada')).toBe(1)
  })
})

/** Resolves for all once so many have come. */
function barrier(count: number): () => Promise<void> {
  let open: () => void
  const opened = new Promise<void>((resolve) => (open = resolve))
  return () => {
    if (--count === 0) open()
    return opened
  }
}
