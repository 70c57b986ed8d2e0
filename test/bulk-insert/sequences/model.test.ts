/** Random appends, in and out of transactions that are rolled back or not, against a model in memory. */
import {
  appendEvents,
  createEventTables,
  EventConflictError,
  EventIdError,
  type ExpectedVersion,
} from '@keelson/bulk-insert/kysely'
import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { expect, test } from 'vitest'
import { record, runs, seed } from '../../support/runs.ts'
import { duckdb, postgresql, sqliteKysely, sqliteOurs } from '../../transactions/kysely/engines.ts'
import { open } from './fixture.ts'

interface Append {
  readonly stream: string
  readonly ids: readonly string[]
  readonly expectedVersion: ExpectedVersion
}

interface Step {
  /** In one transaction; outside of any where there is one append. */
  readonly appends: readonly Append[]
  readonly isRolledBack: boolean
  /** Whether a single one has a transaction around it all the same. */
  readonly isInside: boolean
}

const append: fc.Arbitrary<Append> = fc.record({
  stream: fc.constantFrom('a', 'b'),
  // Few ids, so that they meet again.
  ids: fc.uniqueArray(fc.integer({ min: 0, max: 30 }).map(String), { minLength: 1, maxLength: 3 }),
  expectedVersion: fc.oneof(
    fc.constantFrom<ExpectedVersion>('any', 'noStream', 'exists'),
    fc.integer({ min: 0, max: 6 }),
  ),
})

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    appends: fc.array(append, { minLength: 1, maxLength: 3 }),
    isRolledBack: fc.boolean(),
    isInside: fc.boolean(),
  }),
  { minLength: 1, maxLength: 10 },
)

interface Place {
  readonly id: string
  readonly stream: string
  readonly version: number
  readonly position: number
}

/** What the tables must hold, and what each append must come to. */
class Model {
  #places: Place[] = []

  /** Runs `fn`, and forgets what it did. */
  undoing(fn: () => void): void {
    const before = [...this.#places]
    fn()
    this.#places = before
  }

  append({ stream, ids, expectedVersion }: Append): string {
    const known = ids.map((id) => this.#places.find((place) => place.id === id))
    const found = known.filter((place) => place !== undefined)
    if (found.some((place) => place.stream !== stream)) return 'id'
    if (found.length === ids.length) return outcome(found, true)
    if (found.length > 0) return 'id'
    const actual = this.#places.filter((place) => place.stream === stream).length
    const expected = expectedVersion === 'noStream' ? 0 : expectedVersion
    const fits = expected === 'any' || (expected === 'exists' ? actual > 0 : expected === actual)
    if (!fits) return `conflict ${actual}`
    const added = ids.map((id, at) => ({
      id,
      stream,
      version: actual + at + 1,
      position: this.#places.length + at + 1,
    }))
    this.#places.push(...added)
    return outcome(added, false)
  }

  get rows(): readonly string[] {
    return this.#places.map(({ position, stream, version, id }) =>
      [position, stream, version, id].join(' '),
    )
  }
}

function outcome(
  places: readonly { id: string; version: number; position: number | undefined }[],
  isRepeat: boolean,
): string {
  const each = places.map(({ id, version, position }) => `${id}:${version}:${position}`)
  return [isRepeat ? 'repeat' : 'appended', ...each].join(' ')
}

async function attempt(db: Kysely<any>, { stream, ids, expectedVersion }: Append): Promise<string> {
  try {
    const events = ids.map((id) => ({ id, type: 'noted', data: { id } }))
    const result = await appendEvents(db, stream, events, { expectedVersion, order: 'global' })
    expect(result.version).toBe(Math.max(...result.events.map(({ version }) => version)))
    return outcome(result.events, result.isRepeat)
  } catch (error) {
    if (error instanceof EventConflictError) return `conflict ${error.actualVersion}`
    if (error instanceof EventIdError) return 'id'
    throw error
  }
}

const undo = new Error('undo')

test.each([
  ["Keelson's SQLite", sqliteOurs, true, runs(30, 1_500)],
  ["Kysely's SQLite", sqliteKysely, false, runs(30, 1_500)],
  ['PostgreSQL', postgresql, true, runs(4, 200)],
  ['DuckDB', duckdb, true, runs(4, 60)],
] as const)(
  'appends on %s come to what the model says',
  async (name, engine, isWrapped, numRuns) => {
    const { db, inTransaction, select } = await open({ engine, isWrapped })
    await createEventTables(db, { order: 'global' })
    let appends = 0
    const start = performance.now()
    await fc.assert(
      fc.asyncProperty(steps, async (program) => {
        for (const table of ['keelson_event', 'keelson_stream', 'keelson_sequence'])
          await sql`delete from ${sql.table(table)}`.execute(db)
        const model = new Model()
        for (const step of program) {
          appends += step.appends.length
          const [first, ...others] = step.appends
          if (others.length === 0 && !step.isInside) {
            const expected = model.append(first!)
            expect(await attempt(db, first!)).toBe(expected)
            continue
          }
          // Wrong ids doom a transaction of DuckDB.
          let isDoomed = false
          let expected: string[] = []
          model.undoing(() => {
            expected = step.appends.map((each) => model.append(each))
          })
          isDoomed = !engine.hasSavepoints && expected.includes('id')
          const until = isDoomed ? expected.indexOf('id') + 1 : expected.length
          const found: string[] = []
          const error = await inTransaction(async (tx) => {
            for (const each of step.appends.slice(0, until)) found.push(await attempt(tx, each))
            if (step.isRolledBack) throw undo
          }).catch((thrown: unknown) => thrown)
          expect(found).toEqual(expected.slice(0, until))
          if (isDoomed || step.isRolledBack) expect(error).toBeInstanceOf(Error)
          else {
            expect(error).toBeUndefined()
            for (const each of step.appends) model.append(each)
          }
        }
        const rows = await select(
          'select position, stream, version, event_id from keelson_event order by position',
        )
        expect(rows.map((row) => Object.values(row).join(' '))).toEqual(model.rows)
      }),
      { numRuns, seed },
    )
    record(`sequences-model-${name.replaceAll(/\W+/g, '-').toLowerCase()}`, {
      programs: numRuns,
      appends,
      differences: 0,
      durationMs: Math.round(performance.now() - start),
    })
  },
)
