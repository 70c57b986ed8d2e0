// Measures how late a timer of 10 ms comes, in turn in an idle process, and beside heavy reads and a writer in each mode.
// Says one JSON line: for each kind its 99th percentile in milliseconds, by round.
import { join } from 'node:path'
import { openSqlite, type SqliteDatabase } from '@keelson/sqlite'

const [directory, roundsGiven, ...modes] = process.argv.slice(2) as [
  string,
  string,
  ...('inline' | 'threads')[],
]
const roundMs = 1_200
const readers = 8

async function prepare(
  mode: 'inline' | 'threads',
): Promise<{ readonly database: SqliteDatabase; readonly rows: number }> {
  const database = openSqlite({ path: join(directory, `${mode}.db`), mode })
  await database.execute('create table t (a integer primary key, b text, c real)')
  await database.execute('create table written (a integer primary key, b text)')
  await database.execute(
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 400000) insert into t select i, 'row ' || i, i / 7.0 from n",
  )
  // As many rows as make one read take some tens of milliseconds of this machine.
  for (let rows = 1_000; ; rows *= 2) {
    const start = performance.now()
    await aggregate(database, rows)
    if (performance.now() - start > 30 || rows > 400_000) return { database, rows }
  }
}

const aggregate = (database: SqliteDatabase, rows: number): Promise<unknown> =>
  database.execute('select count(*), sum(c), max(length(b)), avg(a % 17) from t where a <= ?', [
    rows,
  ])

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Keeps the database busy until it is told to stop. */
async function load(
  { database, rows }: { readonly database: SqliteDatabase; readonly rows: number },
  isOver: () => boolean,
): Promise<{ readonly reads: number; readonly writes: number }> {
  let reads = 0
  let writes = 0
  const read = async (): Promise<void> => {
    while (!isOver()) {
      await aggregate(database, rows)
      reads++
      await nextTurn()
    }
  }
  const write = async (): Promise<void> => {
    while (!isOver()) {
      await database.execute('insert into written (b) values (?)', ['x'])
      writes++
      await nextTurn()
    }
  }
  await Promise.all([...Array.from({ length: readers }, read), write()])
  return { reads, writes }
}

async function lateness(isOver: () => boolean): Promise<number[]> {
  const late: number[] = []
  while (!isOver()) {
    const due = performance.now() + 10
    await new Promise((resolve) => setTimeout(resolve, 10))
    late.push(performance.now() - due)
  }
  return late
}

const percentile99 = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1]!

const databases = new Map<string, { readonly database: SqliteDatabase; readonly rows: number }>()
for (const mode of modes) databases.set(mode, await prepare(mode))
const delays: Record<string, number[]> = {}
const done: Record<string, { reads: number; writes: number }> = {}
for (let round = 0; round < Number(roundsGiven); round++) {
  for (const kind of ['idle', ...modes]) {
    const end = performance.now() + roundMs
    const isOver = (): boolean => performance.now() > end
    const database = databases.get(kind)
    const [late, work] = await Promise.all([
      lateness(isOver),
      database === undefined ? { reads: 0, writes: 0 } : load(database, isOver),
    ])
    ;(delays[kind] ??= []).push(percentile99(late))
    const sum = (done[kind] ??= { reads: 0, writes: 0 })
    sum.reads += work.reads
    sum.writes += work.writes
  }
}
for (const { database } of databases.values()) await database.close()
console.log(JSON.stringify({ delays, done }))
