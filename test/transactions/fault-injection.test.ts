import { describeError } from '@keelson/core'
import { transaction } from '@keelson/transactions/kysely'
import type { Kysely } from 'kysely'
import { expect, test, vi } from 'vitest'
import { aroundDriver, type Call } from './model/driver-spy.ts'
import { describeOn, engines, type ModelEngine, type Opened, type Tables } from './model/engines.ts'
import { type Outcome, outcomeOf, show } from './model/records.ts'

/**
 * Each call that a transaction makes on its connection fails once: before it is sent, after it has had its effect, or
 * because the connection is cut off. The driver, connection and database are real.
 */
type Mode = 'before' | 'after' | 'kill' | 'destroy'

interface Told {
  readonly outer: Outcome
  readonly inner: Readonly<Record<'kept' | 'failing', Outcome | undefined>>
  readonly mine: Error
  /** The program has thrown its own error. */
  readonly hasThrown: Readonly<Record<'outer' | 'failing', boolean>>
}

describeOn(engines, (engine) => {
  for (const end of ['commit', 'rollback'] as const) {
    test(`T21, T23: whichever call fails until the ${end}, the first error is told, nothing is left open and nothing is half kept`, async () => {
      const seen: Call[] = []
      let fail: (call: Call, run: () => Promise<unknown>) => Promise<unknown> = (_, run) => run()
      const opened = await engine.open({
        decorate: (dialect) =>
          aroundDriver(dialect, <R>(call: Call, _: unknown, run: () => Promise<R>) => {
            seen.push(call)
            return fail(call, run) as Promise<R>
          }),
      })
      await play(engine, opened.db, end, 'clean.')
      const calls = seen.map(({ what }) => what)
      expect(calls.at(-1)).toBe(end)
      // T7: or the savepoint stays, and the engine keeps what it needs for it.
      for (const [index, what] of calls.entries())
        if (what === 'rollback to') expect(calls[index + 1]).toBe('release')
      const modes: readonly Mode[] = ['before', 'after', ...(opened.cut ? cuts : [])]
      for (const mode of modes) {
        for (const [index, what] of calls.entries()) {
          const where = `${mode} ${what} (${index})`
          const prefix = `${mode}${index}.`
          const fault = new Error(`injected ${where}`)
          let count = 0
          fail = async (_, run) => {
            if (count++ !== index) return run()
            if (mode === 'kill' || mode === 'destroy') await opened.cut![mode]()
            else if (mode === 'after') await run()
            else throw fault
            if (mode === 'after') throw fault
            return run()
          }
          const told = await play(engine, opened.db, end, prefix)
          fail = (_, run) => run()
          const isCut = mode === 'kill' || mode === 'destroy'
          check(told, where, { end, fault: isCut ? undefined : fault, what })
          await checkRows(opened, told, prefix, where, what === 'commit' && mode === 'after')
          await transaction(opened.db, () => add(opened.db, `${prefix}next`))
          expect(await opened.names(`${prefix}next`), where).toHaveLength(1)
          // The server notices a connection that is gone in its own time.
          await vi.waitFor(opened.assertIdle, { timeout: 30_000 })
        }
      }
    })
  }
})

const cuts: readonly Mode[] = ['kill', 'destroy']

async function add(db: Kysely<Tables>, name: string): Promise<void> {
  await db.insertInto('item').values({ name }).execute()
}

/** Everything that a scope does: a nested one that is released, one that is rolled back, statements around them. */
async function play(
  { hasSavepoints }: ModelEngine,
  db: Kysely<Tables>,
  end: 'commit' | 'rollback',
  prefix: string,
): Promise<Told> {
  const mine = new Error('mine')
  const hasThrown = { outer: false, failing: false }
  const inner: { kept: Outcome | undefined; failing: Outcome | undefined } = {
    kept: undefined,
    failing: undefined,
  }
  const outer = await outcomeOf(
    transaction(db, async () => {
      await add(db, `${prefix}a`)
      if (hasSavepoints) {
        inner.kept = await outcomeOf(transaction(db, () => add(db, `${prefix}b`)))
        inner.failing = await outcomeOf(
          transaction(db, async () => {
            await add(db, `${prefix}c`)
            hasThrown.failing = true
            throw mine
          }),
        )
      }
      await add(db, `${prefix}d`)
      hasThrown.outer = end === 'rollback'
      if (end === 'rollback') throw mine
    }),
  )
  return { outer, inner, mine, hasThrown }
}

function check(
  { outer, inner, mine, hasThrown }: Told,
  where: string,
  { end, fault, what }: { end: string; fault: Error | undefined; what: string },
): void {
  if (hasThrown.outer) expect(outer, where).toEqual({ error: mine })
  if (hasThrown.outer) expect((outer as { error: unknown }).error, where).toBe(mine)
  if (hasThrown.failing) expect((inner.failing as { error: unknown }).error, where).toBe(mine)
  const errors = [outer, inner.kept, inner.failing].flatMap((each) =>
    each !== undefined && 'error' in each ? [each.error] : [],
  )
  if (fault !== undefined) {
    // Whoever can be told is told.
    expect(errors.flatMap(withCauses), `${where}: ${show(outer)}`).toContain(fault)
    if ('error' in outer && !hasThrown.outer && ['begin', end].includes(what))
      expect(outer.error, where).toBe(fault)
    return
  }
  expect(outer, where).toHaveProperty('error')
  if (what === 'commit') {
    const { error } = outer as { error: Error }
    expect(error, where).toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' })
    expect(describeError(error.cause).category, where).toBe('connection')
  } else if (!hasThrown.outer)
    expect(errors.flatMap(withCauses).map((each) => describeError(each).category)).toContain(
      'connection',
    )
}

async function checkRows(
  { names }: Opened,
  { outer, inner }: Told,
  prefix: string,
  where: string,
  isInDoubt: boolean,
): Promise<void> {
  const isKept = inner.kept !== undefined && 'value' in inner.kept
  const all = ['a', ...(isKept ? ['b'] : []), 'd'].map((name) => prefix + name)
  const rows = await names(prefix)
  if (isInDoubt && rows.length > 0) expect(rows, where).toEqual(all)
  else expect(rows, `${where}: ${show(outer)}`).toEqual('value' in outer ? all : [])
}

/** An error, what it is because of, and what failed after it. */
function withCauses(error: unknown): unknown[] {
  if (typeof error !== 'object' || error === null) return [error]
  const { cause, suppressed = [] } = error as { cause?: unknown; suppressed?: readonly unknown[] }
  return [
    error,
    ...suppressed.flatMap(withCauses),
    ...(cause === undefined ? [] : withCauses(cause)),
  ]
}
