import { setTimeout as sleep } from 'node:timers/promises'
import { transaction } from '@keelson/transactions/kysely'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { describeOn, engines } from './model/engines.ts'
import { Play } from './model/play.ts'
import { program } from './model/program.ts'
import { Trace } from './model/trace.ts'
import { contradictions, expectedNames } from './model/verify.ts'

/** The same programs on each engine, whose traits alone decide where they come out differently. */
describeOn(engines, (engine) => {
  test(
    'random programs of scopes keep, tell and run what follows from their steps, and leave nothing open',
    { timeout: 3_600_000 },
    async () => {
      const { db, names, assertIdle } = await engine.open()
      const start = performance.now()
      let cases = 0
      let scopes = 0
      await fc.assert(
        fc.asyncProperty(program, async (roots) => {
          const trace = new Trace(engine, db, `c${++cases}.`)
          await Promise.race([
            Play.run(trace, roots),
            sleep(20_000, undefined, { ref: false }).then(() =>
              Promise.reject(new Error('It hangs.')),
            ),
          ])
          scopes += trace.scopes.length
          expect(contradictions(trace)).toEqual([])
          expect(await names(trace.prefix)).toEqual(expectedNames(trace))
          await assertIdle()
        }),
        { seed, numRuns: runs(300, 3_000), endOnFailure: process.env['SHRINK'] === undefined },
      )
      await transaction(db, () => db.insertInto('item').values({ name: 'usable' }).execute())
      expect(await names('usable')).toEqual(['usable'])
      record(`transactions-model-${engine.id}`, {
        programs: cases,
        scopes,
        durationMs: Math.round(performance.now() - start),
      })
    },
  )
})
