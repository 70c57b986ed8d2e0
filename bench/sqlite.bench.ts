// SQLite on the calling thread, beside those who do the same: point select, 1,000 and 100,000 rows, single inserts,
// streaming. Run alone with `pnpm bench sqlite`, or for a first look with `pnpm bench sqlite --quick`.
import { PeopleFiles, personCount, scatteredIds } from './support/people.ts'
import { printStandings, writeResults } from './support/results.ts'
import { longestGap, sideBySide, type Standing } from './support/side-by-side.ts'
import { type SqliteContender, sqliteContenders } from './support/sqlite-contenders.ts'

const quick = process.argv.includes('--quick')
const files = new PeopleFiles()
const contenders = await sqliteContenders(files)
const baseline = contenders[0]!.name
const results: Record<string, Standing[]> = {}

async function compare(
  title: string,
  times: number,
  rounds: number,
  job: (contender: SqliteContender) => (times: number) => unknown,
): Promise<void> {
  const runs = contenders.filter(
    ({ stream }) => !title.startsWith('stream') || stream !== undefined,
  )
  const standings = await sideBySide({
    title,
    baseline,
    times,
    rounds: quick ? 3 : rounds,
    contenders: runs.map((contender) => ({ name: contender.name, run: job(contender) })),
  })
  printStandings(title, baseline, standings)
  results[title] = standings
}

const ids = scatteredIds(1000)
const fewIds = ids.slice(0, 300)
await compare(
  'point select by key',
  ids.length,
  41,
  (contender) => () => contender.pointSelect(ids),
)
await compare('1,000-row select', 20, 31, (contender) => (times) => contender.manyRows(1000, times))
await compare(
  '100,000-row select',
  1,
  11,
  (contender) => (times) => contender.manyRows(100_000, times),
)
await compare(
  'single inserts in autocommit',
  fewIds.length,
  21,
  (contender) => () => contender.insert(fewIds),
)
await compare('stream of 100,000 rows', 1, 15, (contender) => () => contender.stream!(personCount))

const gaps: Record<string, number> = {}
for (const contender of contenders) {
  if (contender.stream === undefined) continue
  gaps[contender.name] = oneDecimal(await longestGap(async () => contender.stream!(personCount)))
}
console.log('Longest time the event loop stood still during that stream, in ms:', gaps)

const targets = {
  'Kysely point select, times as fast as SqliteDialect (target >= 3.5)': ratio(
    'point select by key',
    'Kysely: SqliteDialect',
    'Kysely: Keelson',
  ),
  'Kysely point select, times raw prepared (target <= 1.7)': ratio(
    'point select by key',
    'Kysely: Keelson',
    baseline,
  ),
  'Drizzle point select, times as fast as its better-sqlite3 (target >= 1.4)': ratio(
    'point select by key',
    'Drizzle: better-sqlite3',
    'Drizzle: Keelson',
  ),
  'Drizzle 1,000 rows, times as fast as its better-sqlite3 (target >= 2)': ratio(
    '1,000-row select',
    'Drizzle: better-sqlite3',
    'Drizzle: Keelson',
  ),
  'Kysely stream, times as fast as SqliteDialect (target >= 1.8)': ratio(
    'stream of 100,000 rows',
    'Kysely: SqliteDialect',
    'Kysely: Keelson',
  ),
  'Kysely stream, longest event-loop gap in ms (target <= 10)': gaps['Kysely: Keelson']!,
}
console.log(targets)

if (!quick) {
  writeResults(
    new URL('results/sqlite.json', import.meta.url),
    ['better-sqlite3', 'kysely', 'drizzle-orm', 'kysely-generic-sqlite', '@libsql/client'],
    { targets, eventLoopGapMs: gaps, results },
  )
}

for (const contender of contenders) await contender.close()
files.remove()

function ratio(title: string, of: string, to: string): number {
  const find = (name: string): Standing =>
    results[title]!.find((standing) => standing.name === name)!
  return Math.round((find(of).timesBaseline / find(to).timesBaseline) * 100) / 100
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10
}
