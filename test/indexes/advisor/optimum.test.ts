import type { AdvisorWorkload, IndexAdvice } from '@keelson/indexes'
import { adviseIndexes, applyAdvice } from '@keelson/indexes/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { CompiledQuery, Kysely } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { record, runs, seed } from '../../support/runs.ts'
import { openPlanner, StepCounter, type WeighedSql } from './vm-steps.ts'

/** A table with random columns, queries over it, and the indexes among which the best set is sought. */
interface Instance {
  readonly statements: readonly string[]
  readonly queries: readonly WeighedSql[]
  readonly candidates: readonly string[]
}

/**
 * Where the instances begin. They are the same in each ordinary run, and all of them hold; of fresh ones, which the soak takes,
 * 1 in 100 may not.
 */
const first = runs(1_000, seed)
const tolerated = runs(0, 0.01)

test('costs at most a tenth more than the best of all sets of indexes, and slows no query', async () => {
  const ratios: number[] = []
  const slowest: number[] = []
  const instances = runs(20, 300)
  for (let number = 0; number < instances; number++) {
    const { ratio, regression, told } = await compare(randomInstance(random(first + number)))
    if (ratio > 1.1 || regression > 1.2) console.info(`seed ${first + number}: ${told}`)
    ratios.push(ratio)
    slowest.push(regression)
  }
  const worse = ratios.filter((ratio, at) => ratio > 1.1 || slowest[at]! > 1.2).length
  record('advisor-optimum', {
    instances,
    worse,
    worstRatio: Math.max(...ratios),
    worstRegression: Math.max(...slowest),
  })
  expect(worse / instances).toBeLessThanOrEqual(tolerated)
}, 600_000)

test.each([
  { once: 'rows out of the order of their table seemed as near as others', number: 485_259_405 },
  { once: 'the order of an index was followed for rows that are few in it', number: 485_259_473 },
  {
    once: 'the planner was told 115 rows for a key of which ANALYZE says 116',
    number: 700_001_457,
  },
  { once: 'all sets of 11 indexes seemed too many to try', number: 700_000_205 },
])('does so where $once', async ({ number }) => {
  const { ratio, regression } = await compare(randomInstance(random(number)))
  expect(ratio).toBeLessThanOrEqual(1.1)
  expect(regression).toBeLessThanOrEqual(1.2)
})

test('makes no query slower than it is told', async () => {
  const instance = randomInstance(random(485_259_473))
  const db = await opened(instance.statements)
  for (let most = 1; most < 1.5; most += 0.02) {
    const { workload } = await adviseIndexes(db, workloadOf(instance), {
      budgetMb: 0.09,
      maxRegression: most,
      minRows: 100,
      openSqlite: openPlanner,
    })
    expect(workload.worstRegression).toBeLessThanOrEqual(most)
  }
})

test('advises nothing more once its advice was taken', async () => {
  const instances = runs(5, 200)
  let more = 0
  for (let number = 0; number < instances; number++) {
    const { advice, second } = await adviseTwice(randomInstance(random(first + number)))
    if (second.sql.length === 0) continue
    more++
    console.info(`seed ${first + number}: ${JSON.stringify({ advice, second }, undefined, 1)}`)
  }
  record('advisor-optimum', { taken: instances, more })
  expect(more / instances).toBeLessThanOrEqual(tolerated)
}, 600_000)

test.each([
  { once: 'the best of all sets left a place for one more', number: 485_259_424 },
  { once: 'one proposal began with another', number: 485_259_405 },
])('advises neither more nor less where $once', async ({ number }) => {
  const { second } = await adviseTwice(randomInstance(random(number)))
  expect(second.sql).toEqual([])
  expect(second.drops).toEqual([])
})

async function adviseTwice(
  instance: Instance,
): Promise<{ readonly advice: IndexAdvice; readonly second: IndexAdvice }> {
  const db = await opened(instance.statements)
  const options = { minRows: 100, openSqlite: openPlanner }
  const advice = await adviseIndexes(db, workloadOf(instance), options)
  await applyAdvice(db, advice)
  return { advice, second: await adviseIndexes(db, workloadOf(instance), options) }
}

async function opened(statements: readonly string[]): Promise<Kysely<Record<string, never>>> {
  const db = new Kysely<Record<string, never>>({ dialect: new SqliteDialect({ path: ':memory:' }) })
  onTestFinished(() => db.destroy())
  for (const sql of statements) await db.executeQuery(CompiledQuery.raw(sql))
  return db
}

function workloadOf({ queries }: Instance): AdvisorWorkload {
  return {
    v: 1,
    queries: queries.map(({ sql, parameters, weight }) => ({
      text: sql,
      calls: weight,
      samples: [{ parameters }],
    })),
  }
}

async function compare(
  instance: Instance,
): Promise<{ readonly ratio: number; readonly regression: number; readonly told: string }> {
  const { statements, queries, candidates } = instance
  const best = await StepCounter.open(statements)
  onTestFinished(() => best.close())
  const none = queries.map((query) => best.steps(query))
  candidates.forEach((keys, at) => best.run(`create index c${at} on t (${keys})`))
  best.run('analyze')
  const sizes = best.sizes()
  const bytes = candidates.map((_, at) => sizes.get(`c${at}`)!)
  const budget = bytes.reduce((all, each) => all + each, 0) * 0.5
  const db = await opened(statements)
  const advice = await adviseIndexes(
    db,
    workloadOf(instance),
    // Space is to cost nothing but its budget, as it does for the best set.
    {
      budgetMb: budget / 1e6,
      minGain: 0,
      minCallGainUs: 0,
      minRows: 100,
      openSqlite: openPlanner,
    },
  )
  const ours = await StepCounter.open([...statements, ...advice.sql])
  onTestFinished(() => ours.close())
  const after = queries.map((query) => ours.steps(query))
  const size = [...ours.sizes().values()].reduce((all, each) => all + each, 0)
  // Sizes are estimates, and may be off by a page.
  expect(size).toBeLessThanOrEqual(budget + 4_096)
  const optimum = bestSubset(best, instance, bytes, budget)
  const total = weighed(after, queries)
  const regression = Math.max(...after.map((steps, at) => steps / none[at]!))
  const told = JSON.stringify(
    {
      ours: { total, size, budget, bytes: advice.workload.bytes, sql: advice.sql },
      bytes,
      optimum,
      none: weighed(none, queries),
      queries: queries.map((query, at) => [
        query.sql,
        query.parameters,
        query.weight,
        none[at],
        after[at],
      ]),
      refused: advice.refused,
    },
    undefined,
    1,
  )
  return { ratio: total / optimum.total, regression, told }
}

/** Tries every set that fits, one index more or fewer each time, in the order of a Gray code. */
function bestSubset(
  counter: StepCounter,
  { queries, candidates }: Instance,
  bytes: readonly number[],
  budget: number,
): { readonly total: number; readonly set: readonly string[] } {
  const statistics = counter.statistics()
  candidates.forEach((_, at) => counter.run(`drop index c${at}`))
  const present = new Set<number>()
  const none = queries.map((query) => counter.steps(query))
  let best = { total: weighed(none, queries), set: [] as readonly string[] }
  for (let code = 1; code < 2 ** candidates.length; code++) {
    const at = Math.log2(code ^ (code >>> 1) ^ ((code - 1) ^ ((code - 1) >>> 1)))
    if (present.delete(at)) counter.run(`drop index c${at}`)
    else {
      present.add(at)
      counter.run(`create index c${at} on t (${candidates[at]})`)
      counter.run(`insert into sqlite_stat1 values ('t', 'c${at}', '${statistics.get(`c${at}`)}')`)
    }
    const size = [...present].reduce((all, each) => all + bytes[each]!, 0)
    if (size > budget) continue
    counter.run('analyze sqlite_schema')
    const steps = queries.map((query) => counter.steps(query))
    // What slows a query is not allowed to us, either.
    if (steps.some((each, query) => each > none[query]! * 1.2)) continue
    const total = weighed(steps, queries)
    if (total < best.total) best = { total, set: [...present].map((each) => candidates[each]!) }
  }
  return best
}

function weighed(steps: readonly number[], queries: readonly WeighedSql[]): number {
  return steps.reduce((all, each, at) => all + each * queries[at]!.weight, 0)
}

function randomInstance(next: () => number): Instance {
  const rows = 3_000
  // Of fewer values an index finds so many rows that steps and time disagree about it.
  const distinct = ['a', 'b', 'c', 'd', 'e'].map(() => Math.round(8 * 190 ** next()))
  const primes = [7919, 104_729, 1_299_709, 15_485_863, 32_452_843]
  const columns = ['a', 'b', 'c', 'd', 'e']
  const values = columns.map((_, at) => `(i * ${primes[at]} / 7) % ${distinct[at]}`)
  const statements = [
    'pragma page_size = 4096',
    'create table t (id integer primary key, a integer, b integer, c integer, d integer, e integer, note text)',
    `with recursive n (i) as (select 1 union all select i + 1 from n where i < ${rows})
     insert into t select i, ${values.join(', ')}, 'a note of some length ' || i from n`,
  ]
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!
  const queries: WeighedSql[] = []
  const candidates = new Set<string>()
  while (queries.length < 5) {
    const [first, second] = columns.toSorted(() => next() - 0.5) as [string, string]
    const value = (column: string): number =>
      Math.floor(next() * distinct[columns.indexOf(column)]!)
    const weight = 1 + Math.floor(next() * 50)
    const add = (where: string, parameters: readonly number[], keys: readonly string[]): void => {
      if (candidates.size + keys.length > 8) return
      queries.push({ sql: `select * from t where ${where}`, parameters, weight })
      for (const each of keys) candidates.add(each)
    }
    pick([
      () => add(`${first} = ?`, [value(first)], [first]),
      () =>
        add(
          `${first} = ? and ${second} = ?`,
          [value(first), value(second)],
          [first, `${first}, ${second}`],
        ),
      () =>
        add(
          `${first} = ? order by ${second} limit ?`,
          [value(first), 5],
          [first, `${first}, ${second}`],
        ),
      () =>
        add(
          `${first} = ? and ${second} > ?`,
          [value(first), Math.floor(distinct[columns.indexOf(second)]! * 0.9)],
          [second, `${first}, ${second}`],
        ),
      () => add(`1 order by ${first} limit ?`, [5], [first]),
    ])()
    if (candidates.size >= 8) break
  }
  return { statements, queries, candidates: [...candidates] }
}

/** mulberry32: numbers from 0 to 1, the same ones for the same seed. */
function random(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
