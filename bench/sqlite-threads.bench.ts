// SQLite on threads of its own, beside those who do the same and those who stay on the calling thread: one caller and many,
// large results, single and bulk inserts, readers and a writer at once, streaming. Run alone with `pnpm bench sqlite-threads`,
// or for a first look with `pnpm bench sqlite-threads --quick`.
import { bulkRow } from './support/bulk-rows.ts'
import { byCallers, mixedLoad } from './support/concurrent-load.ts'
import { PeopleFiles, scatteredIds } from './support/people.ts'
import { printStandings, writeResults } from './support/results.ts'
import { longestGap, median, sideBySide, type Standing } from './support/side-by-side.ts'
import {
  bulkContenders,
  names,
  sqliteThreadContenders,
  type ThreadContender,
} from './support/sqlite-thread-contenders.ts'

const quick = process.argv.includes('--quick')
const baseline = names.raw
const results: Record<string, Standing[]> = {}

interface Job {
  readonly title: string
  readonly contenders: readonly ThreadContender[]
  readonly times: number
  readonly rounds: number
  readonly warmUpRounds?: number
  readonly run: (contender: ThreadContender) => Promise<number>
}

async function compare({ title, contenders, rounds, run, ...others }: Job): Promise<void> {
  const standings = await sideBySide({
    title,
    baseline,
    rounds: quick ? 3 : rounds,
    contenders: contenders.map((contender) => ({
      name: contender.name,
      run: () => run(contender),
    })),
    ...others,
  })
  show(title, baseline, standings)
}

function show(title: string, floor: string, standings: Standing[]): void {
  printStandings(title, floor, standings)
  results[title] = standings
}

/** The longest stop of the event loop during a job: the median over rounds in turn, since anything may stop one of them. */
async function gapsDuring(
  contenders: readonly ThreadContender[],
  rounds: number,
  job: (contender: ThreadContender) => Promise<number>,
): Promise<Record<string, number>> {
  const gaps = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < (quick ? 3 : rounds); round++) {
    for (const contender of contenders)
      gaps.get(contender.name)!.push(await longestGap(() => job(contender)))
  }
  return Object.fromEntries([...gaps].map(([name, own]) => [name, rounded(median(own), 1)]))
}

const files = new PeopleFiles()
const contenders = await sqliteThreadContenders((name) => files.file(name))

const ids = scatteredIds(quick ? 640 : 1_280)
const pointSelect = 'point select by key'
const pointSelects = `${pointSelect}, 64 in flight`
for (const [title, callers] of [
  [pointSelect, 1],
  [pointSelects, 64],
] as const) {
  await compare({
    title,
    contenders,
    times: ids.length,
    rounds: 21,
    run: (contender) => byCallers(callers, ids, (id) => contender.one(id)),
  })
}

const limits = Array<number>(32).fill(1_000)
const thousandRows = '1,000-row select'
const thousandsOfRows = `${thousandRows}, 8 in flight`
for (const [title, callers] of [
  [thousandRows, 1],
  [thousandsOfRows, 8],
] as const) {
  await compare({
    title,
    contenders,
    times: limits.length,
    rounds: 15,
    run: (contender) => byCallers(callers, limits, (limit) => contender.many(limit)),
  })
}

const manyRows = '100,000-row select'
await compare({
  title: manyRows,
  contenders,
  times: 1,
  rounds: 11,
  run: (contender) => contender.many(100_000),
})
const eventLoopGapMs = await gapsDuring(contenders, 9, (contender) => contender.many(100_000))
console.log('Longest time the event loop stood still during that select, in ms:', eventLoopGapMs)

const inserts = 'single inserts, 64 in flight'
const insertRun = (contender: ThreadContender): Promise<number> =>
  byCallers(64, ids.slice(0, 640), (id) => contender.insert(id))
await compare({ title: inserts, contenders, times: 640, rounds: 15, run: insertRun })

const durableInserts = `${inserts}, synchronous = full`
{
  const durable = await sqliteThreadContenders((name) => files.file(`full-${name}`), 'full')
  await compare({
    title: durableInserts,
    contenders: durable,
    times: 640,
    rounds: 9,
    warmUpRounds: 1,
    run: insertRun,
  })
  for (const contender of durable) await contender.close()
}

/** So many rows to sum up take better-sqlite3 5 ms. */
const summedUp = 60_000
const mixedReads = 'mixed load, a read'
const mixedWrites = 'mixed load, a write'
const { reads, writes, timerDelayP99Ms } = await mixedLoad({
  baseline,
  readers: 8,
  rounds: quick ? 2 : 7,
  roundMs: quick ? 500 : 1_000,
  contenders: contenders.map(({ name, blocks, ...contender }) => ({
    name,
    blocks,
    read: () => contender.aggregate(summedUp),
    write: () => contender.insert(1),
  })),
})
show(mixedReads, baseline, reads)
show(mixedWrites, baseline, writes)
console.log(
  'How late a timer of 10 ms was under that load, 99th percentile in ms:',
  timerDelayP99Ms,
)
for (const contender of contenders) await contender.close()
files.remove()

const streamed = quick ? 100_000 : 1_000_000
const streaming = 'stream of 1,000,000 rows'
let streamGapMs: Record<string, number>
{
  const streamFiles = new PeopleFiles(streamed)
  // Nobody writes, so they may share a file.
  const file = streamFiles.file('everybody')
  const everybody = await sqliteThreadContenders(() => file)
  const streamers = everybody.filter(({ stream }) => stream !== undefined)
  const run = (contender: ThreadContender): Promise<number> => contender.stream!(streamed)
  await compare({
    title: streaming,
    contenders: streamers,
    times: 1,
    rounds: 5,
    warmUpRounds: 1,
    run,
  })
  streamGapMs = await gapsDuring(streamers, 3, run)
  console.log('Longest time the event loop stood still during that stream, in ms:', streamGapMs)
  for (const contender of everybody) await contender.close()
  streamFiles.remove()
}

const bulk = 'bulk insert of 100,000 rows'
{
  const bulkFiles = new PeopleFiles(0)
  const rows = Array.from({ length: quick ? 20_000 : 100_000 }, (_, at) => bulkRow(at, 6))
  const both = bulkContenders((name) => bulkFiles.file(name), rows)
  const standings = await sideBySide({
    title: bulk,
    baseline: names.kyselyInline,
    times: rows.length,
    rounds: quick ? 3 : 9,
    contenders: both,
  })
  show(bulk, names.kyselyInline, standings)
  for (const contender of both) await contender.close()
  bulkFiles.remove()
}

const targets = {
  'Kysely, 64 point selects in flight, times as fast as kysely-sqlite-worker (target >= 7)': ratio(
    pointSelects,
    names.worker,
    names.kyselyThreads,
  ),
  'Kysely, one point select at a time, times as fast as kysely-sqlite-worker (target >= 2)': ratio(
    pointSelect,
    names.worker,
    names.kyselyThreads,
  ),
  'no ORM, 64 point selects in flight, times as fast as better-sqlite3-pool (target >= 15)': ratio(
    pointSelects,
    names.pool,
    names.keelson,
  ),
  'no ORM, 64 point selects in flight, times as fast as libsql (target >= 10)': ratio(
    pointSelects,
    names.libsql,
    names.keelson,
  ),
  'no ORM, 64 point selects in flight, times as fast as raw prepared (target >= 1.05)': ratio(
    pointSelects,
    names.raw,
    names.keelson,
  ),
  'Kysely, 1,000 rows, times as fast as kysely-sqlite-worker (target >= 1.6)': ratio(
    thousandRows,
    names.worker,
    names.kyselyThreads,
  ),
  'Kysely, 1,000 rows, 8 in flight, times as fast as kysely-sqlite-worker (target >= 3)': ratio(
    thousandsOfRows,
    names.worker,
    names.kyselyThreads,
  ),
  'Kysely, 100,000 rows, times as fast as kysely-sqlite-worker (target >= 1.8)': ratio(
    manyRows,
    names.worker,
    names.kyselyThreads,
  ),
  'Kysely, 100,000 rows, longest event-loop gap in ms (target <= 5)':
    eventLoopGapMs[names.kyselyThreads]!,
  "Kysely, 64 inserts in flight, times as fast as Kysely's SqliteDialect (target >= 6)": ratio(
    inserts,
    names.kysely,
    names.kyselyThreads,
  ),
  'Kysely, 64 inserts in flight, times as fast as kysely-sqlite-worker (target >= 20)': ratio(
    inserts,
    names.worker,
    names.kyselyThreads,
  ),
  'Kysely, 64 inserts in flight, synchronous = full, times as fast as libsql (target >= 20)': ratio(
    durableInserts,
    names.libsql,
    names.kyselyThreads,
  ),
  'mixed load, reads, times better-sqlite3-pool (target >= 1.25)': ratio(
    mixedReads,
    names.pool,
    names.keelson,
  ),
  'mixed load, writes, times better-sqlite3-pool (target >= 1.25)': ratio(
    mixedWrites,
    names.pool,
    names.keelson,
  ),
  'mixed load, 99th percentile of the delay of a timer in ms (target <= 6)':
    timerDelayP99Ms[names.keelson]!,
  "Kysely, stream, times as fast as Kysely's SqliteDialect (target >= 1.8)": ratio(
    streaming,
    names.kysely,
    names.kyselyThreads,
  ),
  'Kysely, stream, longest event-loop gap in ms (target <= 10)': streamGapMs[names.kyselyThreads]!,
  "bulk insert, the main thread's CPU time for a row, as a part of that inline (target <= 0.125)":
    rounded(cpuOf(names.kyselyThreads) / cpuOf(names.kyselyInline), 3),
}
console.log(targets)

if (!quick) {
  writeResults(
    new URL('results/sqlite-threads.json', import.meta.url),
    [
      'better-sqlite3',
      'kysely',
      'kysely-sqlite-worker',
      'kysely-generic-sqlite',
      'better-sqlite3-pool',
      '@libsql/client',
    ],
    { targets, eventLoopGapMs, streamGapMs, timerDelayP99Ms, results },
  )
}

function standing(title: string, name: string): Standing {
  return results[title]!.find((each) => each.name === name)!
}

/** How many times as fast `to` is. */
function ratio(title: string, of: string, to: string): number {
  return rounded(standing(title, of).medianUs / standing(title, to).medianUs, 2)
}

function cpuOf(name: string): number {
  return standing(bulk, name).medianCpuUs!
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
