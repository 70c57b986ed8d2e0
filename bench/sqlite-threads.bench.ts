// SQLite on threads of its own, beside those who do the same and those who stay on the calling thread: one caller and many,
// large results, single and bulk inserts, readers and a writer at once, streaming. Each contender has a process of its own, as
// people have one driver; they take turns, and nobody works beside another. Run alone with `pnpm bench sqlite-threads`, or for a
// first look with `pnpm bench sqlite-threads --quick`.
import { mixedLoad } from './support/concurrent-load.ts'
import { OwnProcess } from './support/own-process.ts'
import { PeopleFiles } from './support/people.ts'
import { printStandings, writeResults } from './support/results.ts'
import { Measured, median, sideBySide, type Standing } from './support/side-by-side.ts'
import { kyselyAlone, names, type Synchronous } from './support/sqlite-thread-contenders.ts'
import type { ThreadAnswer, ThreadJob, ThreadRequest } from './support/sqlite-thread-process.ts'

type Contender = OwnProcess<ThreadRequest, ThreadAnswer>
type Contenders = ReadonlyMap<string, Contender>

const quick = process.argv.includes('--quick')
const baseline = names.raw
const results: Record<string, Standing[]> = {}

interface Comparison {
  readonly title: string
  readonly contenders: Contenders
  readonly times: number
  readonly rounds: number
  readonly warmUpRounds?: number
  readonly floor?: string
  readonly job: ThreadJob
}

async function compare({
  title,
  contenders,
  rounds,
  job,
  floor = baseline,
  ...others
}: Comparison): Promise<void> {
  const standings = await sideBySide({
    title,
    baseline: floor,
    rounds: quick ? 3 : rounds,
    contenders: [...contenders].map(([name, contender]) => ({
      name,
      run: async () => {
        const { rows, us, cpuUs } = (await contender.ask({ job })).measured!
        return new Measured(rows, us, cpuUs)
      },
    })),
    ...others,
  })
  show(title, floor, standings)
}

function show(title: string, floor: string, standings: Standing[]): void {
  printStandings(title, floor, standings)
  results[title] = standings
}

/** The longest stop of the event loop during a job: the median over rounds in turn, since anything may stop one of them. */
async function gapsDuring(
  contenders: Contenders,
  rounds: number,
  job: ThreadJob,
): Promise<Record<string, number>> {
  const gaps = new Map<string, number[]>([...contenders.keys()].map((name) => [name, []]))
  for (let round = 0; round < (quick ? 3 : rounds); round++) {
    for (const [name, contender] of contenders)
      gaps.get(name)!.push((await contender.ask({ job, gap: true })).gapMs!)
  }
  return Object.fromEntries([...gaps].map(([name, own]) => [name, rounded(median(own), 1)]))
}

/** Starts a process for each, on the file that it is given. */
function start(
  file: (name: string) => string,
  {
    which = Object.values(names),
    synchronous = 'normal',
    kind = 'people',
  }: { which?: readonly string[]; synchronous?: Synchronous; kind?: 'people' | 'bulk' } = {},
): Contenders {
  const program = new URL('support/sqlite-thread-process.ts', import.meta.url)
  return new Map(
    which.map((name) => [
      name,
      new OwnProcess<ThreadRequest, ThreadAnswer>(program, name, file(name), synchronous, kind),
    ]),
  )
}

async function end(contenders: Contenders): Promise<void> {
  for (const contender of contenders.values()) await contender.end()
}

const files = new PeopleFiles()
const contenders = start((name) => files.file(name))

const pointSelect = 'point select by key'
const pointSelects = `${pointSelect}, 64 in flight`
// Rounds of many callers are longer: else the fast ones are over before their threads are awake.
for (const [title, callers, times] of [
  [pointSelect, 1, quick ? 640 : 1_280],
  [pointSelects, 64, quick ? 640 : 6_400],
] as const) {
  await compare({ title, contenders, times, rounds: 21, job: { kind: 'one', callers, times } })
}

const thousandRows = '1,000-row select'
const thousandsOfRows = `${thousandRows}, 8 in flight`
for (const [title, callers] of [
  [thousandRows, 1],
  [thousandsOfRows, 8],
] as const) {
  const job = { kind: 'many', callers, times: 32, rows: 1_000 } as const
  await compare({ title, contenders, times: 32, rounds: 15, job })
}

const manyRows = '100,000-row select'
const manyJob = { kind: 'many', callers: 1, times: 1, rows: 100_000 } as const
await compare({ title: manyRows, contenders, times: 1, rounds: 11, job: manyJob })
const eventLoopGapMs = await gapsDuring(contenders, 9, manyJob)
console.log('Longest time the event loop stood still during that select, in ms:', eventLoopGapMs)

const inserts = 'single inserts, 64 in flight'
const insertJob = { kind: 'insert', callers: 64, times: quick ? 640 : 3_200 } as const
{
  const alone = start(() => '', { which: [kyselyAlone] })
  const all = new Map([...contenders, ...alone])
  const { times } = insertJob
  await compare({ title: inserts, contenders: all, times, rounds: 15, job: insertJob })
  await end(alone)
}

const durableInserts = `${inserts}, synchronous = full`
{
  const durable = start((name) => files.file(`full-${name}`), { synchronous: 'full' })
  await compare({
    title: durableInserts,
    contenders: durable,
    times: insertJob.times,
    rounds: 9,
    warmUpRounds: 1,
    job: insertJob,
  })
  await end(durable)
}

const mixedReads = 'mixed load, a read'
const mixedWrites = 'mixed load, a write'
const roundMs = quick ? 500 : 1_000
const { reads, writes, timerDelayP99Ms } = await mixedLoad({
  baseline,
  rounds: quick ? 2 : 7,
  roundMs,
  contenders: [...contenders].map(([name, contender]) => ({
    name,
    run: async () => (await contender.ask({ job: { kind: 'load', readers: 8, roundMs } })).load!,
  })),
})
show(mixedReads, baseline, reads)
show(mixedWrites, baseline, writes)
console.log(
  'How late a timer of 10 ms was under that load, 99th percentile in ms:',
  timerDelayP99Ms,
)
await end(contenders)
files.remove()

const streamed = quick ? 100_000 : 1_000_000
const streaming = 'stream of 1,000,000 rows'
let streamGapMs: Record<string, number>
{
  const streamFiles = new PeopleFiles(streamed)
  // Nobody writes, so they may share a file.
  const file = streamFiles.file('everybody')
  const cannot: readonly string[] = [names.worker, names.libsql, names.keelsonOne]
  const which = Object.values(names).filter((name) => !cannot.includes(name))
  const streamers = start(() => file, { which })
  const job = { kind: 'stream', rows: streamed } as const
  await compare({
    title: streaming,
    contenders: streamers,
    times: 1,
    rounds: 5,
    warmUpRounds: 1,
    job,
  })
  streamGapMs = await gapsDuring(streamers, 3, job)
  console.log('Longest time the event loop stood still during that stream, in ms:', streamGapMs)
  await end(streamers)
  streamFiles.remove()
}

const bulk = 'bulk insert of 100,000 rows'
{
  const bulkFiles = new PeopleFiles(0)
  const which = [names.kyselyInline, names.kyselyThreads]
  const both = start((name) => bulkFiles.file(`bulk-${name}`), { which, kind: 'bulk' })
  await compare({
    title: bulk,
    floor: names.kyselyInline,
    contenders: both,
    times: 100_000,
    rounds: 9,
    job: { kind: 'bulk', rows: 100_000 },
  })
  await end(both)
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
  'no ORM, one reader, 64 point selects in flight, times as fast as better-sqlite3-pool (target >= 15)':
    ratio(pointSelects, names.pool, names.keelsonOne),
  'no ORM, one reader, 64 point selects in flight, times as fast as libsql (target >= 10)': ratio(
    pointSelects,
    names.libsql,
    names.keelsonOne,
  ),
  'no ORM, one reader, 64 point selects in flight, times as fast as raw prepared (target >= 1.05)':
    ratio(pointSelects, names.raw, names.keelsonOne),
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
  "Kysely without a database, the same, times as fast as Kysely's SqliteDialect (the most that can be had)":
    ratio(inserts, names.kysely, kyselyAlone),
  "no ORM, 64 inserts in flight, times as fast as Kysely's SqliteDialect (target >= 6)": ratio(
    inserts,
    names.kysely,
    names.keelson,
  ),
  'no ORM, 64 inserts in flight, times as fast as better-sqlite3-pool (target >= 10)': ratio(
    inserts,
    names.pool,
    names.keelson,
  ),
  'no ORM, 64 inserts in flight, synchronous = full, times as fast as libsql (target >= 20)': ratio(
    durableInserts,
    names.libsql,
    names.keelson,
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
