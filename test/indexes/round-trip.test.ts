import { canonicalTable, isManagedName } from '@keelson/indexes'
import { introspect } from '@keelson/indexes/kysely'
import fc from 'fast-check'
import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { arbitraryTable } from './arbitrary-table.ts'
import { creating, liveEngines, openDatabase, run } from './fixture.ts'

describe.each(liveEngines)('a table on %s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine)
  })
  afterAll(() => db.destroy())

  it('is read back as it was defined', async () => {
    const numRuns = runs(60, 500)
    await fc.assert(
      fc.asyncProperty(arbitraryTable(engine), async (table) => {
        const trx = await db.startTransaction().execute()
        try {
          await run(trx, ...creating(table, engine))
          const found = await introspect(trx)
          const expected = canonicalTable(table, engine)
          expect(found).toEqual([expected])
          expect(canonicalTable(expected, engine)).toEqual(expected)
          for (const index of expected.indexes)
            expect(isManagedName(expected, index, engine)).toBe(true)
        } finally {
          await trx.rollback().execute()
        }
      }),
      { seed, numRuns },
    )
    record('indexes-round-trip', { [engine]: { tables: numRuns } })
  })
})
