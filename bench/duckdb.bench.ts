// DuckDB, beside its client by hand and the published driver that installs: point select, rows as objects, aggregate,
// streaming. Run alone with `pnpm bench duckdb`, or for a first look with `pnpm bench duckdb --quick`.
import { type DuckDBContender, duckdbContenders } from './support/duckdb-contenders.ts'
import { measurementCount, MeasurementFile } from './support/measurements.ts'
import { printStandings, writeResults } from './support/results.ts'
import { longestGap, sideBySide, type Standing } from './support/side-by-side.ts'

const quick = process.argv.includes('--quick')
const rowCount = quick ? 100_000 : measurementCount
const file = await MeasurementFile.create()
const fleet = await duckdbContenders(file)
const { contenders } = fleet
const baseline = contenders[0]!.name
const results: Record<string, Standing[]> = {}

async function compare(
  title: string,
  times: number,
  rounds: number,
  job: (contender: DuckDBContender) => (times: number) => unknown,
  warmUpRounds?: number,
): Promise<void> {
  const standings = await sideBySide({
    title,
    baseline,
    times,
    rounds: quick ? 3 : rounds,
    ...(warmUpRounds !== undefined && { warmUpRounds }),
    contenders: contenders
      .filter(({ stream }) => !title.startsWith('stream') || stream !== undefined)
      .map((contender) => ({ name: contender.name, run: job(contender) })),
  })
  printStandings(title, baseline, standings)
  results[title] = standings
}

const ids = Array.from({ length: 200 }, (_, n) => (n * 7919 + 13) % measurementCount)
const pointSelect = 'point select by key'
const manyRows = '1,000,000 rows as objects'
const streaming = 'stream of 1,000,000 rows'
await compare(pointSelect, ids.length, 31, (contender) => () => contender.pointSelect(ids))
// Compiled after the first of so many rows; the slowest contender takes half a minute for each round.
await compare(manyRows, 1, 3, (contender) => () => contender.manyRows(rowCount), 1)
await compare(streaming, 1, 5, (contender) => () => contender.stream!(rowCount), 1)
await compare('aggregate', 10, 15, (contender) => (times) => contender.aggregate(times))

const gaps: Record<string, number> = {}
for (const contender of contenders)
  gaps[contender.name] = oneDecimal(await longestGap(async () => contender.manyRows(rowCount)))
console.log('Longest time the event loop stood still while those rows were read, in ms:', gaps)

const targets = {
  'rows as objects, times as fast as getRowObjectsJS (target >= 2)': ratio(
    manyRows,
    baseline,
    'Keelson, no ORM',
  ),
  'point select, times raw prepared (target <= 1.25)': ratio(
    pointSelect,
    'Keelson, no ORM',
    baseline,
  ),
  'Kysely point select, times raw prepared': ratio(pointSelect, 'Kysely: Keelson', baseline),
  'Kysely, rows as objects, times as fast as getRowObjectsJS': ratio(
    manyRows,
    baseline,
    'Kysely: Keelson',
  ),
  'Drizzle, rows as objects, times as fast as drizzle-neo-duckdb': ratio(
    manyRows,
    'Drizzle: drizzle-neo-duckdb',
    'Drizzle: Keelson',
  ),
  'longest event-loop gap in that read, in ms (target <= 50)': gaps['Keelson, no ORM']!,
}
console.log(targets)

if (!quick) {
  writeResults(
    new URL('results/duckdb.json', import.meta.url),
    ['@duckdb/node-api', 'kysely', 'drizzle-orm', '@leonardovida-md/drizzle-neo-duckdb'],
    { targets, eventLoopGapMs: gaps, results },
  )
}

await fleet.close()
file.remove()

function ratio(title: string, of: string, to: string): number {
  const find = (name: string): Standing =>
    results[title]!.find((standing) => standing.name === name)!
  return Math.round((find(of).timesBaseline / find(to).timesBaseline) * 100) / 100
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10
}
