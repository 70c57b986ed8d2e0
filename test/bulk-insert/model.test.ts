import fc from 'fast-check'
import { expect, test } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { type Database, describeOn, type Kind, pairs, type Row, traits } from './engines.ts'
import { type Case, expected } from './oracle.ts'

const extra = ['a', 'b', 'c', 'd'] as const
const types = { a: 'int', b: 'text', c: 'real', d: 'int default 7' } as const
const values: Readonly<Record<keyof typeof types, fc.Arbitrary<unknown>>> = {
  a: fc.integer({ min: -9, max: 9 }),
  b: fc.string({ unit: 'grapheme', maxLength: 5 }).map((text) => text.replaceAll('\u0000', '')),
  c: fc.integer({ min: -99, max: 99 }).map((n) => n / 4),
  d: fc.integer({ min: 0, max: 99 }),
}

type Poison = 'check' | 'null' | 'unknown' | 'nothing' | 'number'
const poisons: readonly Poison[] = ['check', 'null', 'unknown', 'nothing', 'number']

function cases(kind: Kind): fc.Arbitrary<Case> {
  const { asSet, hasTarget, leavesOut } = traits[kind]
  return fc
    .record({
      columns: fc.subarray([...extra]),
      hasUnique: fc.boolean(),
    })
    .chain(({ columns, hasUnique }) => {
      const row = (id: fc.Arbitrary<number>): fc.Arbitrary<Row> =>
        fc.record(
          {
            id,
            n: fc.integer({ min: 0, max: 9 }),
            ...(hasUnique && { u: fc.option(fc.integer({ min: 0, max: 60 })) }),
            ...Object.fromEntries(
              columns.map((key) => [key, fc.option<unknown>(values[key], { freq: 6 })]),
            ),
          },
          { requiredKeys: ['id', 'n'] },
        ) as fc.Arbitrary<Row>
      const poisoned = fc
        .tuple(row(fc.integer({ min: 0, max: 40 })), fc.constantFrom(...poisons))
        .map(([each, poison]): unknown => poisonous(each, poison))
      const updatable = ['n', ...columns, ...(hasUnique && kind !== 'duckdb' ? ['u'] : [])]
      const isTargetable = hasTarget || !hasUnique
      const updates = [
        fc.subarray(updatable, { minLength: 1 }).map((update) => ({ target: 'id', update })),
        // DuckDB updates no column of another index.
        ...(kind === 'duckdb' && hasUnique
          ? []
          : [fc.constant({ target: 'id', update: 'all' as const })]),
      ]
      return fc.record({
        columns: fc.constant(columns),
        hasUnique: fc.constant(hasUnique),
        existing: fc.uniqueArray(row(fc.integer({ min: 0, max: 40 })), {
          maxLength: 12,
          selector: ({ id }) => id,
        }),
        input: fc.array(
          fc.oneof(
            { weight: 14, arbitrary: row(fc.integer({ min: 0, max: 60 })) },
            { weight: 1, arbitrary: poisoned },
          ),
          { maxLength: 40 },
        ),
        onConflict: fc.oneof(
          fc.constantFrom<Case['onConflict']>('error', 'skip', undefined),
          ...(isTargetable
            ? [...updates, fc.constant({ target: ['id'], skip: true as const })]
            : []),
        ),
        duplicatesInInput: asSet
          ? fc.constantFrom('error', 'first', 'last')
          : fc.constant(undefined),
        batchRows: fc.integer({ min: 1, max: 45 }),
        atomic: fc.boolean(),
        onRejected: fc.constantFrom('abort', 'collect'),
      }) as fc.Arbitrary<Case>
    })
    .map((each) => ({
      ...each,
      ...(!leavesOut && each.onRejected === 'collect' && { atomic: false }),
      ...(!isUpdate(each) && { duplicatesInInput: undefined }),
    }))
}

function isUpdate({ onConflict }: Case): boolean {
  return typeof onConflict === 'object' && 'update' in onConflict
}

function poisonous(row: Row, poison: Poison): unknown {
  if (poison === 'nothing') return null
  if (poison === 'number') return 5
  if (poison === 'check') return { ...row, n: 1_000 }
  return poison === 'null' ? { ...row, n: null } : { ...row, zzz: 1 }
}

/** Whether a later row of the input has the same id. */
function isReplaced(input: readonly unknown[], at: number): boolean {
  const idOf = (row: unknown): unknown => (row as { readonly id?: unknown } | null)?.id
  return input.slice(at + 1).some((row) => idOf(row) === idOf(input[at]))
}

/** @returns whether the case says something */
async function play(db: Database, kind: Kind, each: Case): Promise<boolean> {
  const { columns, hasUnique, existing: _, input, ...options } = each
  const wanted = expected(kind, each)
  if (wanted === undefined) return false
  const table = await db.create('t', {
    columns: {
      id: kind === 'sqlite' ? 'int not null unique' : 'int primary key',
      n: 'int not null',
      ...(hasUnique && { u: 'int' }),
      ...Object.fromEntries(columns.map((key) => [key, types[key]])),
    },
    constraints: ['check (n < 1000)', ...(hasUnique ? ['unique (u)'] : [])],
  })
  if (kind === 'postgresql') await db.exec('alter table t add column seq serial')
  await db.bulk(table, wanted.existing)
  const before = await db.count('t')
  expect(before).toBe(wanted.existing.length)

  const result = await db.bulk(table, input, options as never).then(
    (report) => ({ report, error: undefined }),
    (error) => ({ report: error.report, error }),
  )
  const { report, error } = result
  const after = await db.count('t')
  expect(report.attempted).toBe(report.inserted + report.updated + report.skipped + report.rejected)
  expect(report.inserted).toBe(after - before)
  if (wanted.failsAt === undefined) {
    if (error !== undefined) throw error
    expect(report).toMatchObject(wanted.counts)
    expect(report.rejections.map(({ rowIndex }: { rowIndex: number }) => rowIndex)).toEqual(
      wanted.rejected,
    )
    expect(report.durableRows).toBe(input.length)
  } else {
    expect(error?.name, error?.stack).toBe('BulkInsertError')
    // A row that a later one of its batch would have replaced may be tried, and named, before the one that ends it all.
    const mayNameReplaced = each.duplicatesInInput === 'last' && error.rowIndex < wanted.failsAt
    // DuckDB does not always say which row it was, and of several it may name a later one.
    if (mayNameReplaced) expect(isReplaced(input, error.rowIndex)).toBe(true)
    else if (kind !== 'duckdb') expect(error.rowIndex).toBe(wanted.failsAt)
    else if (error.rowIndex !== undefined)
      expect(error.rowIndex).toBeGreaterThanOrEqual(wanted.failsAt)
    expect(report.durableRows).toBe(wanted.durableRows)
  }
  const keys = ['id', 'n', ...(hasUnique ? ['u'] : []), ...columns]
  const stored = await db.rows(
    `select ${keys.map((key) => db.quote(key)).join()} from t order by id`,
  )
  expect(stored.map((row) => keys.map((key) => row[key]))).toEqual(
    wanted.rows
      .toSorted((one, other) => one['id'] - other['id'])
      .map((row) => keys.map((key) => row[key])),
  )
  const number = { sqlite: 'rowid', postgresql: 'seq', mysql: undefined, duckdb: undefined }[kind]
  if (number !== undefined) {
    const ids = (await db.rows(`select id from t order by ${number}`)).map(({ id }) => id)
    expect(ids).toEqual(wanted.rows.map(({ id }) => id))
  }
  return true
}

describeOn(pairs, 'a random bulk insert', (db, pair) => {
  test('does what a table in memory does', async () => {
    const start = performance.now()
    const numRuns = runs(40, 2_000)
    let played = 0
    await fc.assert(
      fc.asyncProperty(cases(pair.kind), async (each) => {
        if (await play(db(), pair.kind, each)) played++
      }),
      { numRuns, seed },
    )
    expect(played).toBeGreaterThan(numRuns / 2)
    record('bulk-insert', {
      [pair.name]: { cases: played, durationMs: Math.round(performance.now() - start) },
    })
  })
})
