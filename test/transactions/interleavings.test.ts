import { transaction } from '@keelson/transactions/kysely'
import type { Kysely } from 'kysely'
import { expect, test } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { aroundDriver, type Call } from './model/driver-spy.ts'
import { describeOn, engines, type Tables } from './model/engines.ts'

/**
 * Something that nobody awaits comes late, by any number of microtasks or turns of the event loop, to a scope that is
 * ending: it takes part in the scope or is refused, and never runs behind its end.
 */
interface Case {
  /** How the transaction ends. */
  readonly outer: 'commit' | 'rollback'
  /** How the one nested in it has ended before. */
  readonly inner: 'release' | 'rollback to' | undefined
  /** Whose context the late one comes from. */
  readonly owner: 'outer' | 'inner'
  readonly late: 'statement' | 'nested'
}

const cases: readonly Case[] = (['statement', 'nested'] as const).flatMap((late) =>
  (['commit', 'rollback'] as const).flatMap((outer): Case[] => [
    { outer, inner: undefined, owner: 'outer', late },
    ...(['release', 'rollback to'] as const).flatMap((inner): Case[] => [
      { outer, inner, owner: 'outer', late },
      { outer, inner, owner: 'inner', late },
    ]),
  ]),
)

/** Up to where the ends of SQLite lie every other delay, and some up to 200. */
const delays = Array.from({ length: 201 }, (_, delay) => delay).filter(
  (delay) => runs(0, 1) === 1 || (delay <= 24 && delay % 2 === seed % 2) || delay % 25 === 0,
)
const waits = {
  microtasks: () => Promise.resolve(),
  macrotasks: () => new Promise<void>((resolve) => setImmediate(resolve)),
}

describeOn(
  engines.filter(({ hasSavepoints }) => hasSavepoints),
  (engine) => {
    test(
      'T9: whatever comes late to a commit, rollback, release or rollback to is a part of it or is refused',
      { timeout: 3_600_000 },
      async () => {
        let calls: Call[] = []
        const { db, names, assertIdle } = await engine.open({
          decorate: (dialect) =>
            aroundDriver(dialect, (call, _, run) => {
              calls.push(call)
              return run()
            }),
        })
        let runsMade = 0
        const told = { joined: 0, refused: 0 }
        for (const [unit, wait] of Object.entries(waits)) {
          for (const delay of delays) {
            // A turn is as long as many microtasks, and further ones come when all is over.
            if (unit === 'macrotasks' && delay > 100 && runs(0, 1) === 0) continue
            for (const each of cases) {
              calls = []
              const prefix = `r${++runsMade}.`
              const late = await play(db, each, prefix, async () => {
                for (let n = 0; n < delay; n++) await wait()
              })
              if (late.error === undefined) told.joined++
              else told.refused++
              const where = `${JSON.stringify(each)} after ${delay} ${unit}: ${JSON.stringify(calls)}`
              const { outer, inner, owner } = each
              if (late.error !== undefined) expect(late.error, where).toBe('TransactionClosedError')
              // A nested one that is begun and not awaited undoes what it is in.
              const mayClose = each.late === 'nested'
              const ends = {
                commit: 'kept',
                release: 'kept',
                rollback: 'mine',
                'rollback to': 'mine',
              }
              for (const [end, how] of [
                [outer, late.outer],
                [inner, late.inner],
              ] as const) {
                if (end === undefined) continue
                if (mayClose && how === 'TransactionClosedError') expect(late.error).toBe(how)
                else expect(how, where).toBe(ends[end])
              }
              const isOuterKept = late.outer === 'kept'
              const isInnerKept = isOuterKept && late.inner === 'kept'
              const isOwnerKept = owner === 'inner' ? isInnerKept : isOuterKept
              expect(await names(prefix), where).toEqual([
                ...(isInnerKept ? [`${prefix}inner`] : []),
                ...(isOwnerKept && late.error === undefined ? [`${prefix}late`] : []),
                ...(isOuterKept ? [`${prefix}outer`] : []),
              ])
              expect(outsideOfTransactions(calls), where).toEqual([])
              await assertIdle()
            }
          }
        }
        // Both happen, or the delays have missed the ends.
        expect(Math.min(told.joined, told.refused)).toBeGreaterThan(0)
        record(`transactions-interleavings-${engine.id}`, { runs: runsMade, ...told })
      },
    )

    test(
      'T14: one that fails, or is aborted, while a nested one ends in it, leaves what is around it alone',
      { timeout: 3_600_000 },
      async () => {
        const { db, names, assertIdle } = await engine.open()
        const mine = new Error('mine')
        let last = 0
        for (const [unit, wait] of Object.entries(waits)) {
          for (const delay of delays) {
            if (unit === 'macrotasks' && delay > 100 && runs(0, 1) === 0) continue
            for (const how of ['throw', 'abort'] as const) {
              for (const end of ['release', 'rollback to'] as const) {
                const prefix = `n${++last}.`
                const where = `${how} after ${delay} ${unit}, beside ${end}`
                const add = (name: string) =>
                  db
                    .insertInto('item')
                    .values({ name: `${prefix}${name}` })
                    .execute()
                const innermost: Promise<unknown>[] = []
                const told = await transaction(db, async () => {
                  await add('a')
                  const controller = new AbortController()
                  const middle = transaction(
                    db,
                    async () => {
                      const inner = transaction(db, async () => {
                        if (end === 'rollback to') throw new Error('inner')
                      }).then(
                        () => 'kept',
                        (error: Error) => error.name,
                      )
                      innermost.push(inner)
                      for (let n = 0; n < delay; n++) await wait()
                      if (how === 'throw') throw mine
                      controller.abort(mine)
                      await inner
                    },
                    { signal: controller.signal },
                  )
                  const error = await middle.then(
                    () => undefined,
                    (failure: unknown) => failure,
                  )
                  await add('b')
                  return error
                })
                expect(told, where).toBe(mine)
                expect(await names(prefix), where).toEqual([`${prefix}a`, `${prefix}b`])
                const inner = await innermost[0]
                if (inner !== 'kept') expect(['Error', 'TransactionClosedError']).toContain(inner)
                await assertIdle()
              }
            }
          }
        }
      },
    )
  },
)

async function play(
  db: Kysely<Tables>,
  { outer, inner, owner, late: kind }: Case,
  prefix: string,
  delay: () => Promise<void>,
): Promise<{ outer: string; inner: string | undefined; error: string | undefined }> {
  const mine = new Error('mine')
  const how = (ending: Promise<unknown>): Promise<string> =>
    ending.then(
      () => 'kept',
      (error: Error) => (error.message === 'mine' ? 'mine' : error.name),
    )
  let innerTold: string | undefined
  let late: Promise<string | undefined> | undefined
  const add = (name: string) =>
    db
      .insertInto('item')
      .values({ name: `${prefix}${name}` })
      .execute()
  const begin = (): void => {
    const run = async (): Promise<void> => {
      await delay()
      if (kind === 'statement') await add('late')
      else await transaction(db, () => add('late'))
    }
    late = run().then(
      () => undefined,
      (error: Error) => error.name,
    )
  }
  const nest = (): Promise<unknown> =>
    transaction(db, async () => {
      await add('inner')
      if (owner === 'inner') begin()
      if (inner === 'rollback to') throw mine
    })
  const ending = transaction(db, async () => {
    await add('outer')
    if (inner !== undefined) innerTold = await how(nest())
    if (owner === 'outer') begin()
    if (outer === 'rollback') throw mine
  })
  return { outer: await how(ending), inner: innerTold, error: await late }
}

/** Statements that were sent on a connection before BEGIN or after the end. */
function outsideOfTransactions(calls: readonly Call[]): Call[] {
  const open = new Set<number>()
  return calls.filter(({ connection, what }) => {
    if (what.startsWith('begin')) open.add(connection)
    else if (what === 'commit' || what === 'rollback') open.delete(connection)
    else return !open.has(connection)
    return false
  })
}
