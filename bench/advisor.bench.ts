// What sets of indexes make of a workload of 12 queries over 1,000,000 records: none, one for each column that is filtered or
// sorted by, those of the SQLite shell's `.expert` (where there is a shell), and ours. Run alone with `pnpm bench advisor`, or
// for a first look with `pnpm bench advisor --quick`, over 100,000.
import { adviceTable } from '@keelson/indexes'
import { createAdvisor } from '@keelson/indexes/kysely'
import Table from 'cli-table3'
import type { LogEvent } from 'kysely'
import {
  expertIndexes,
  type IndexSetResult,
  measureIndexes,
  openRecords,
  RecordFile,
  recordQueries,
} from './support/records.ts'
import { writeResults } from './support/results.ts'

const quick = process.argv.includes('--quick')
const rows = quick ? 100_000 : 1_000_000
const rounds = quick ? 3 : 7
const file = new RecordFile(rows)
const advisor = createAdvisor()
const ran: LogEvent[] = []
const db = openRecords(file.path, (event) => ran.push(event))
const queries = recordQueries(db)

// Each query runs as often as it weighs, as far as the advisor is concerned; the database is asked once.
for (const { query, weight } of queries) {
  await db.executeQuery(query.compile())
  const event = ran.at(-1)!
  for (let call = 0; call < weight; call++) advisor.log(event)
}
// So many rows are written in the time in which the queries above run.
for (let call = 0; call < 1_000; call++)
  advisor.record({ sql: 'insert into "rec" ("id", "schema_id") values (?, ?)', parameters: [] })

const begun = performance.now()
const advice = await advisor.advise(db)
const adviseMs = performance.now() - begun
console.log(adviceTable(advice))
console.log(`advice took ${adviseMs.toFixed(0)} ms`)
await db.destroy()

const filtered = [
  'owner_id',
  'tenant_id',
  'status',
  'created_at',
  'schema_id',
  'price',
  'expires_at',
  'email',
  'deleted',
]
const sets: Record<string, readonly string[] | undefined> = {
  none: [],
  'one for each column': filtered.map((name) => `create index n_${name} on rec (${name})`),
  '.expert': expertIndexes(file, queries),
  ours: advice.sql.filter((sql) => sql.startsWith('create')),
}
const results: Record<string, IndexSetResult & { readonly worstRegression: number }> = {}
for (const [name, sql] of Object.entries(sets)) {
  if (sql === undefined) continue
  const result = measureIndexes(file, queries, sql, rounds)
  const before = results['none']?.queryMs ?? result.queryMs
  const ratios = Object.entries(result.queryMs).map(([query, ms]) => ms / before[query]!)
  results[name] = { ...result, worstRegression: Math.max(...ratios) }
}
file.remove()

const table = new Table({
  head: ['indexes', 'count', 'MB', 'insert us', 'workload ms', 'worst query, x none'],
  style: { head: [], border: [] },
})
for (const [name, { indexes, mb, insertUs, workloadMs, worstRegression }] of Object.entries(
  results,
))
  table.push([
    name,
    indexes,
    mb.toFixed(1),
    insertUs.toFixed(1),
    workloadMs.toFixed(1),
    worstRegression.toFixed(2),
  ])
console.log(table.toString())
const each = new Table({
  head: ['query', 'weight', ...Object.keys(results)],
  style: { head: [], border: [] },
})
for (const { name, weight } of queries)
  each.push([
    name,
    weight,
    ...Object.values(results).map(({ queryMs }) => queryMs[name]!.toFixed(3)),
  ])
console.log(each.toString())

const { ours, '.expert': expert } = results
const ratios =
  ours === undefined || expert === undefined
    ? {}
    : {
        timesFasterThanExpert: expert.workloadMs / ours.workloadMs,
        partOfItsSize: ours.mb / expert.mb,
      }
console.log(ratios)
if (!quick)
  writeResults(new URL('results/advisor.json', import.meta.url), ['better-sqlite3', 'kysely'], {
    rows,
    adviseMs: Math.round(adviseMs),
    ...ratios,
    results,
  })
