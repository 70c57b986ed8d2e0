import { revertPlan, UnsupportedByEngineError, UnsupportedChangeError } from '@keelson/indexes'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { arbitraryEvolution } from './arbitrary-evolution.ts'
import { arbitraryTable } from './arbitrary-table.ts'
import { engines, type SchemaDatabase } from './schema-databases.ts'

describe.each(engines)('on %s', (name, open) => {
  it('finds nothing to do after a plan was applied, and what was there before after it was undone', async () => {
    const database = await open()
    const numRuns = runs(10, 500)
    await fc.assert(
      fc.asyncProperty(arbitraryTable(database.engine), async (table) => {
        const plan = await database.diffSchema([table])
        expect(plan.steps.length).toBeGreaterThan(0)
        const { fingerprint } = await database.applyPlan(plan)
        const second = await database.diffSchema([table])
        expect(second.steps).toEqual([])
        expect(second.fingerprint).toBe(fingerprint)
        await database.applyPlan(revertPlan(plan), { allowDrop: true })
        expect(await database.introspect()).toEqual([])
      }),
      { seed, numRuns, endOnFailure: true },
    )
    record('indexes-diff', { [`${name} created`]: numRuns })
  })

  it('does so with any change of a table', async () => {
    const database = await open()
    const numRuns = runs(12, 500)
    let refused = 0
    await fc.assert(
      fc.asyncProperty(arbitraryEvolution(database.engine), async ({ before, after }) => {
        const created = await database.diffSchema([before])
        await database.applyPlan(created)
        try {
          const schema = await schemaOf(database)
          const fingerprint = (await database.diffSchema([before])).fingerprint
          let plan
          try {
            plan = await database.diffSchema([after])
          } catch (error) {
            if (
              !(
                error instanceof UnsupportedChangeError || error instanceof UnsupportedByEngineError
              )
            )
              throw error
            refused++
            return
          }
          const report = await database.applyPlan(plan, { allowDrop: true })
          const second = await database.diffSchema([after])
          expect(second.steps).toEqual([])
          expect(second.fingerprint).toBe(report.fingerprint)
          if (plan.steps.length === 0) return
          await database.applyPlan(revertPlan(plan), { allowDrop: true })
          expect(await schemaOf(database)).toEqual(schema)
          expect((await database.diffSchema([before])).fingerprint).toBe(fingerprint)
        } finally {
          await database.sql(...dropAll(database, before.name))
        }
      }),
      { seed, numRuns, endOnFailure: true },
    )
    console.info(`${name}: ${refused} of ${numRuns} changes refused`)
    record('indexes-diff', { [`${name} changed`]: numRuns, [`${name} refused`]: refused })
  })
})

/** Introspection with columns by name, since one that is dropped comes back at the end; on SQLite the text itself. */
async function schemaOf(database: SchemaDatabase): Promise<unknown> {
  if (database.engine === 'sqlite') {
    return database.sql(
      'select type, name, tbl_name, sql from sqlite_schema where sql is not null order by name',
    )
  }
  const tables = await database.introspect()
  return tables.map((table) => ({
    ...table,
    columns: table.columns.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
  }))
}

function dropAll({ engine }: SchemaDatabase, table: string): readonly string[] {
  const name = `"${table.replaceAll('"', '""')}"`
  return [`drop table if exists ${name}${engine === 'postgresql' ? ' cascade' : ''}`]
}
