/** The plain database used inside a transaction, by a function that knows no handle. */
import type { CorruptionCase } from '../case.ts'
import type { EngineKind } from '../engines/place.ts'
import { gotOwnError, has, ok, OwnError } from '../observation.ts'
import type { StoreSettings } from '../store.ts'

export const escapes: readonly CorruptionCase[] = [
  plainInside(
    'plain-database-inside-sqlite',
    'SQLite',
    'A function called inside a transaction takes part in it, though it uses the plain database (SQLite)',
  ),
  plainInside(
    'plain-database-inside-pglite',
    'PGlite',
    'A function called inside a transaction takes part in it, though it uses the plain database (PGlite)',
  ),
  plainInside(
    'plain-database-inside-pool-of-one',
    'PostgreSQL',
    'A function called inside a transaction takes part in it, though the pool has no second connection',
    { connections: 1 },
  ),
  {
    id: 'plain-database-outlives-rollback',
    title:
      'What a function writes through the plain database inside a transaction is rolled back with it',
    engine: 'PostgreSQL',
    asked:
      'Inside a transaction, a function inserts a row through the plain database instead of the handle. Then the ' +
      'transaction fails. (Every library here documents that the handle has to be used. This is about the day on which ' +
      'one call is forgotten.)',
    right: 'Nothing is kept: `[]`.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('through the handle')
          await told.of('the function', store.insert('through the database'))
          throw new OwnError()
        }),
      )
    },
    isRight: (seen) => has(seen) && gotOwnError(seen, 'the transaction'),
  },
]

function plainInside(
  id: string,
  engine: EngineKind,
  title: string,
  settings?: StoreSettings,
): CorruptionCase {
  return {
    id,
    title,
    engine,
    threads: ['knex/knex#1171'],
    asked:
      'A transaction inserts a row, then calls a function that inserts one through the plain database, of which there ' +
      'is one connection. (Pools are told to give up after 2 s; without that limit, waiting for oneself has no end.)',
    right: 'Both rows, in one transaction: `[through the handle, through the database]`.',
    async run({ open, told }) {
      const store = await open(settings)
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('through the handle')
          await told.of('the function', store.insert('through the database'))
        }),
      )
    },
    isRight: (seen) =>
      has(seen, 'through the handle', 'through the database') &&
      ok(seen, 'the function', 'the transaction'),
  }
}
