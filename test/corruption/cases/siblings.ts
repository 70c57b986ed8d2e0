/** Two parts of one transaction that run side by side, as in `Promise.all`. */
import { type Arena, type CorruptionCase, sleep } from '../case.ts'
import type { EngineKind } from '../engines/place.ts'
import { gotOwnError, has, ok, OwnError } from '../observation.ts'

export const siblings: readonly CorruptionCase[] = (['SQLite', 'PostgreSQL'] as const).flatMap(
  (engine) => [firstFails(engine), secondFails(engine)],
)

function firstFails(engine: EngineKind): CorruptionCase {
  return {
    id: `siblings-first-fails-${engine.toLowerCase()}`,
    title: `A part of a transaction survives when the one begun before it fails (${engine})`,
    engine,
    threads: ['knex/knex#2213', 'vitaly-t/pg-promise#774', 'typeorm/typeorm#11404'],
    asked:
      'Inside a transaction, two nested ones run in `Promise.all`. Each inserts a row, waits, and inserts a second. ' +
      'A, begun first, fails after its second row, while B is waiting; its error is caught. B succeeds, and so does the ' +
      'transaction around them.',
    right:
      'The rows of B and none of A: `[b1, b2]`; A got its error, B and the transaction are told ok.',
    needs: ['nested'],
    run: (arena) => twoSiblings(arena, 'A'),
    isRight: (seen) =>
      has(seen, 'b1', 'b2') && gotOwnError(seen, 'A') && ok(seen, 'B', 'the transaction'),
  }
}

function secondFails(engine: EngineKind): CorruptionCase {
  return {
    id: `siblings-second-fails-${engine.toLowerCase()}`,
    title: `A part of a transaction survives when the one begun after it fails (${engine})`,
    engine,
    threads: ['Vincit/objection.js#838'],
    asked: 'The same two, but now A succeeds first, and B fails after its second row.',
    right:
      'The rows of A and none of B: `[a1, a2]`; B got its error, A and the transaction are told ok.',
    needs: ['nested'],
    run: (arena) => twoSiblings(arena, 'B'),
    isRight: (seen) =>
      has(seen, 'a1', 'a2') && gotOwnError(seen, 'B') && ok(seen, 'A', 'the transaction'),
  }
}

async function twoSiblings({ open, told }: Arena, failing: 'A' | 'B'): Promise<void> {
  const store = await open()
  await told.of(
    'the transaction',
    store.nesting(async (outer) => {
      const part = (name: 'A' | 'B', waitMs: number) =>
        told.of(
          name,
          outer.nested(async (inner) => {
            await inner.insert(`${name.toLowerCase()}1`)
            await sleep(waitMs)
            await inner.insert(`${name.toLowerCase()}2`)
            if (name === failing) throw new OwnError()
          }),
        )
      await Promise.all([part('A', 10), part('B', 80)])
    }),
  )
}
