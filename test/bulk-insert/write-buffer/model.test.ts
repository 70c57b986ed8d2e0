import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { record, runs, seed } from '../../support/runs.ts'
import {
  busy,
  connectionLost,
  type EngineKind,
  expectBalance,
  open,
  row,
  withFaults,
} from './fixture.ts'

/** What a row is, and what is done after it was added. */
const step = fc.record({
  poison: fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(null, 'refused') },
  ),
  isRepeated: fc.oneof(
    { weight: 8, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  next: fc.oneof(
    { weight: 6, arbitrary: fc.constant('add' as const) },
    { weight: 2, arbitrary: fc.constant('turn' as const) },
    { weight: 1, arbitrary: fc.constant('flush' as const) },
  ),
})

const fault = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('begin' as const, 'commit' as const, 'committed' as const),
  },
)

const program = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }),
  faults: fc.array(fault, { maxLength: 30, size: 'max' }),
  flushRows: fc.integer({ min: 1, max: 12 }),
  maxRows: fc.integer({ min: 12, max: 30 }),
  isKeyed: fc.boolean(),
  isWrapped: fc.boolean(),
  /** After how many rows it is closed; later ones are refused. */
  closeAt: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
})

/** A driver whose transactions fail as the program says; an answer to COMMIT is lost only to PostgreSQL, over a network. */
function faulty(engine: EngineKind) {
  const state: { faults: (string | undefined)[] } = { faults: [] }
  let current: string | undefined
  const decorate = withFaults((at) => {
    if (at === 'begin') current = state.faults.shift()
    const isHit =
      current === at || (current === 'committed' && engine !== 'postgresql' && at === 'commit')
    if (!isHit) return undefined
    return at === 'committed' ? connectionLost() : busy()
  })
  return { state, decorate }
}

const programs: Readonly<Record<EngineKind, number>> = {
  sqlite: runs(30, 1_000),
  postgresql: runs(10, 300),
  duckdb: runs(10, 300),
}

describe.for(['sqlite', 'postgresql', 'duckdb'] as const)('%s', (engine) => {
  test(
    'B2, B5, B8, B10: whatever fails, every row is accounted for, and what is written is in order and there once',
    { timeout: 60_000 + programs[engine] * 1_000 },
    async () => {
      const start = performance.now()
      const { state, decorate } = faulty(engine)
      const plain = await open({ engine, decorate })
      const wrapped = await open({ engine, decorate, isWrapped: true })
      let added = 0
      await fc.assert(
        fc.asyncProperty(program, async (given) => {
          const { db, buffer, ids } = given.isWrapped ? wrapped : plain
          state.faults = []
          await sql`delete from event`.execute(db)
          state.faults = [...given.faults]
          const told: string[] = []
          const events = buffer({
            flushRows: given.flushRows,
            maxRows: given.maxRows,
            lingerMs: 1,
            retry: { minDelayMs: 0, maxDelayMs: 2 },
            ...(given.isKeyed && { idempotencyKey: 'id' as const }),
            onRejected: ({ row }) => {
              expectBalance(events.stats)
              told.push(`rejected ${row.id}`)
            },
            onLost: ({ row }) => {
              expectBalance(events.stats)
              told.push(`lost ${row.id}`)
            },
          })
          const outcomes: Promise<string>[] = []
          const sentIds: number[] = []
          let closing: Promise<unknown> | undefined
          for (const [at, { poison, isRepeated, next }] of given.steps.entries()) {
            if (at === given.closeAt) closing = events.close()
            const id = isRepeated && at > 0 ? sentIds[at - 1]! : at + 1
            sentIds.push(id)
            outcomes.push(
              events.add(row(id, poison === undefined ? 'kept' : poison)).then(
                ({ status }) => status,
                (error: { code?: string }) =>
                  error.code === undefined ? 'error' : String(error.code),
              ),
            )
            added++
            expectBalance(events.stats)
            if (next === 'turn') await new Promise((resolve) => setImmediate(resolve))
            if (next === 'flush') await events.flush()
          }
          await closing
          const report = await events.close()
          const fates = await Promise.all(outcomes)
          expectBalance(report)
          expect(report).toMatchObject({ pending: 0, spilled: 0, waiting: 0 })

          const present = await ids()
          // There once each, in the order in which they were added.
          expect(new Set(present).size).toBe(present.length)
          expect(present).toEqual(present.toSorted((one, other) => one - other))
          const kept = ['written', 'committed', 'skipped']
          expect(report.written).toBe(fates.filter((fate) => kept.includes(fate)).length)
          for (const [at, fate] of fates.entries()) {
            if (kept.includes(fate)) expect(present).toContain(sentIds[at])
            // Whether a key is there already some engines look at first.
            const mayBeSkipped = given.isKeyed && given.steps[at]!.isRepeated
            if (given.steps[at]!.poison !== undefined && !mayBeSkipped)
              expect(kept).not.toContain(fate)
            if (fate === 'BUFFER_CLOSED') expect(at).toBeGreaterThanOrEqual(given.closeAt!)
          }
          const isUnknown = fates.includes('OUTCOME_UNKNOWN')
          if (given.isKeyed) expect(isUnknown).toBe(false)
          if (!isUnknown) {
            const expected = new Set(sentIds.filter((_, at) => kept.includes(fates[at]!)))
            expect(new Set(present)).toEqual(expected)
            // What an unheard COMMIT has written counts as skipped when it is sent again.
            if (!given.faults.includes('committed')) expect(report.inserted).toBe(present.length)
          }
          expect(told).toHaveLength(fates.filter((fate) => !kept.includes(fate)).length)
        }),
        { seed, numRuns: programs[engine] },
      )
      record(`write-buffer-${engine}`, {
        programs: programs[engine],
        rows: added,
        unaccounted: 0,
        durationMs: Math.round(performance.now() - start),
      })
    },
  )
})
