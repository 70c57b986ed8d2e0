import { KeelsonError, TransactionAbortedError } from '@keelson/core'
import { expect } from 'vitest'
import { rejectionOf, type Contract } from '../contract.ts'
import type { Handle } from '../orm.ts'

const nesting = ['nestedTransactions', 'savepoints'] as const
const scopes = [...nesting, 'nestedScopes'] as const

/** A nested transaction undoes exactly its own writes, and what each one reports is what is stored. */
export function nestingCases({ it, open, failureOf, engine, orm }: Contract): void {
  it('keeps what a nested transaction did when both commit', nesting, async () => {
    const db = await open()
    const result = await db.transaction(async (tx) => {
      await tx.add('outer')
      const inner = await tx.nested(async (nested) => {
        await nested.add('inner')
        expect(await nested.names()).toEqual(['outer', 'inner'])
        return 'inner result'
      })
      await tx.add('outer again')
      return inner
    })
    expect(result).toBe('inner result')
    expect(await db.names()).toEqual(['outer', 'inner', 'outer again'])
  })

  it(
    'undoes a nested transaction that throws, keeps the one around it, and passes the same error on',
    nesting,
    async () => {
      const db = await open()
      const mine = new Error('mine')
      await db.transaction(async (tx) => {
        await tx.add('outer')
        const thrown = await rejectionOf(
          tx.nested(async (nested) => {
            await nested.add('inner')
            await nested.setBalance(1, 5)
            throw mine
          }),
        )
        expect(thrown).toBe(mine)
        expect(await tx.accounts()).toEqual([{ id: 1, name: 'outer', email: null, balance: 0 }])
        await tx.add('outer again')
      })
      expect(await db.names()).toEqual(['outer', 'outer again'])
    },
  )

  it(
    'undoes a nested transaction that committed when the one around it throws',
    nesting,
    async () => {
      const db = await open()
      await rejectionOf(
        db.transaction(async (tx) => {
          await tx.nested((nested) => nested.add('inner'))
          throw new Error('mine')
        }),
      )
      expect(await db.names()).toEqual([])
    },
  )

  it(
    'undoes everything when the error of the nested transaction is not caught',
    nesting,
    async () => {
      const db = await open()
      const mine = new Error('mine')
      const thrown = await rejectionOf(
        db.transaction(async (tx) => {
          await tx.add('outer')
          await tx.nested(async (nested) => {
            await nested.add('inner')
            throw mine
          })
        }),
      )
      expect(thrown).toBe(mine)
      expect(await db.names()).toEqual([])
    },
  )

  for (const fails of matrix(3)) {
    const story = fails
      .map((fail, level) => `${level + 1} ${fail ? 'fails' : 'commits'}`)
      .join(', ')
    it(`keeps of three levels what their endings say: ${story}`, nesting, async () => {
      const db = await open()
      const level = async (handle: Handle, depth: number): Promise<void> => {
        await handle.add(`level ${depth + 1}`)
        if (depth < 2) await handle.nested((nested) => level(nested, depth + 1)).catch(() => {})
        await handle.add(`level ${depth + 1} again`)
        if (fails[depth]) throw new Error('mine')
      }
      await db.transaction((tx) => level(tx, 0)).catch(() => {})
      const depth = fails.indexOf(true)
      const kept = fails.slice(0, depth === -1 ? 3 : depth).map((_, n) => `level ${n + 1}`)
      expect(await db.names()).toEqual([
        ...kept,
        ...kept.map((name) => `${name} again`).toReversed(),
      ])
    })
  }

  for (const [first, second] of matrix(2)) {
    const story = `the first ${first ? 'fails' : 'commits'}, the second ${second ? 'fails' : 'commits'}`
    it(
      `stores of two siblings begun at once what each reports: ${story} (DZ4)`,
      scopes,
      async () => {
        const db = await open()
        for (const [firstSteps, secondSteps] of [
          [1, 3],
          [3, 1],
          [2, 2],
        ] as const) {
          const prefix = `${firstSteps}${secondSteps}`
          await db.transaction(async (tx) => {
            await tx.add(`${prefix} outer`)
            const outcomes = await Promise.allSettled([
              tx.nested((nested) => sibling(nested, `${prefix} first`, firstSteps, first!)),
              tx.nested((nested) => sibling(nested, `${prefix} second`, secondSteps, second!)),
            ])
            expect(outcomes.map(({ status }) => status === 'rejected')).toEqual([first, second])
          })
          const names = (await db.names()).filter((name) => name.startsWith(prefix))
          expect(names).toEqual([
            `${prefix} outer`,
            ...(first ? [] : steps(`${prefix} first`, firstSteps)),
            ...(second ? [] : steps(`${prefix} second`, secondSteps)),
          ])
        }
      },
    )
  }

  it(
    'runs twenty siblings begun at once one after the other, each to its own end',
    scopes,
    async () => {
      const db = await open()
      await db.transaction(async (tx) => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, (_, n) =>
            tx.nested((nested) => sibling(nested, `${n}`, 2, n % 3 === 0)),
          ),
        )
        expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(
          Array.from({ length: 20 }, (_, n) => n % 3 === 0),
        )
      })
      const kept = Array.from({ length: 20 }, (_, n) => n).filter((n) => n % 3 !== 0)
      expect(await db.names()).toEqual(kept.flatMap((n) => steps(`${n}`, 2)))
    },
  )

  it(
    'keeps what the transaction around writes while a nested one that fails is open (K2)',
    scopes,
    async () => {
      const db = await open()
      await db.transaction(async (tx) => {
        const [outcome] = await Promise.allSettled([
          tx.nested((nested) => sibling(nested, 'inner', 3, true)),
          tx.add('outer'),
        ])
        expect(outcome.status).toBe('rejected')
      })
      expect(await db.names()).toEqual(['outer'])
    },
  )

  it(
    'fails, and does not hang, when a nested transaction awaits the handle around it',
    [...scopes, 'explicitHandles'],
    async () => {
      const db = await open({ waitMs: 50 })
      const failure = await failureOf(
        db.transaction((tx) =>
          tx.nested(async (nested) => {
            await nested.add('inner')
            await tx.add('outer')
          }),
        ),
      )
      expect(failure).toMatchObject({ code: 'CONNECTION_BUSY' })
      expect(await db.names()).toEqual([])
    },
  )

  it(
    'refuses the handle of a nested transaction after its end',
    [...scopes, 'explicitHandles'],
    async () => {
      const db = await open()
      let escaped: Handle | undefined
      await db.transaction(async (tx) => {
        await tx.nested(async (nested) => {
          escaped = nested
          await nested.add('inner')
        })
        expect(await failureOf(escaped!.add('late'))).toMatchObject({ code: 'TRANSACTION_CLOSED' })
      })
      await rejectionOf(escaped!.add('later'))
      expect(await db.names()).toEqual(['inner'])
    },
  )

  it(
    'goes on in a nested transaction after a failed statement that is caught',
    [...nesting, 'statementRollback'],
    async () => {
      const db = await open()
      await db.transaction(async (tx) => {
        await tx.add({ id: 1, name: 'outer' })
        await tx.nested(async (nested) => {
          await failureOf(nested.add({ id: 1, name: 'again' }))
          await nested.add('inner')
        })
      })
      expect(await db.names()).toEqual(['outer', 'inner'])
    },
  )

  it(
    'refuses everything once the engine has rolled back inside a nested transaction (S6b)',
    [...nesting, 'autoRollback'],
    async () => {
      const db = await open()
      let first: unknown
      const failure = await failureOf(
        db.transaction(async (tx) => {
          await tx.add({ id: 1, name: 'outer' })
          await failureOf(
            tx.nested(async (nested) => {
              await nested.add('inner')
              first = await failureOf(nested.run(engine.sql.rollsBack))
              await nested.add('after')
            }),
          )
          await tx.add('after, outside')
        }),
      )
      expect(failure).toBeInstanceOf(TransactionAbortedError)
      expect(orm.unwrap(failure.cause)).toBe(first)
      expect(await db.names()).toEqual([])
    },
  )

  it(
    'leaves no savepoint behind, however many nested transactions fail (DZ4)',
    nesting,
    async () => {
      const db = await open()
      await db.transaction(async (tx) => {
        await tx.add('outer')
        for (let n = 0; n < 300; n++) {
          await tx.nested(async (nested) => nested.add(`inner ${n}`)).then(() => {})
          await rejectionOf(
            tx.nested(async (nested) => {
              await nested.run('delete from account')
              throw new Error('mine')
            }),
          )
        }
      })
      expect(await db.names()).toHaveLength(301)
    },
  )

  if (!engine.supports.savepoints && orm.lacks.nestedTransactions === undefined) {
    it('refuses a nested transaction before anything is sent, and goes on with the one around it', async () => {
      const db = await open()
      let called = false
      await db.transaction(async (tx) => {
        await tx.add('outer')
        const failure = await failureOf(
          tx.nested(async () => {
            called = true
          }),
        )
        expect(failure).toBeInstanceOf(KeelsonError)
        await tx.add('outer again')
      })
      expect(called).toBe(false)
      expect(await db.names()).toEqual(['outer', 'outer again'])
    })
  }
}

async function sibling(handle: Handle, name: string, count: number, fails: boolean): Promise<void> {
  for (const step of steps(name, count)) {
    await handle.add(step)
    await new Promise(setImmediate)
  }
  if (fails) throw new Error(name)
}

function steps(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name} ${n}`)
}

/** All lists of so many booleans. */
function matrix(length: number): boolean[][] {
  if (length === 0) return [[]]
  return [false, true].flatMap((first) => matrix(length - 1).map((rest) => [first, ...rest]))
}
