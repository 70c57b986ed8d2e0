// What `withTiming` adds to a query: over a driver that does nothing, in nanoseconds, and over real SQLite, as a share; beside
// Kysely's `log`, and the two published packages for OpenTelemetry. Run alone with `pnpm bench timing`, or for a first look
// with `pnpm bench timing --quick`. A ratio is the median of those to the baseline in the same round.
import Database from 'better-sqlite3'
import { PeopleFiles, scatteredIds } from './support/people.ts'
import { printStandings, writeResults } from './support/results.ts'
import { sideBySide, type Standing } from './support/side-by-side.ts'
import {
  drizzleContenders,
  nullContenders,
  sqliteContenders,
  type TimingContender,
} from './support/timing-contenders.ts'

const quick = process.argv.includes('--quick')
const files = new PeopleFiles()
const open = (name: string): Database.Database =>
  new Database(files.file(name.replaceAll(/\W+/g, '-')))
const results: Record<string, Standing[]> = {}

// Short rounds, and many: a ratio is of two that stand a few milliseconds apart, between which a busy machine is the same.
await compare('Kysely, a driver that does nothing', nullContenders(), 2_000)
await compare('Kysely on SQLite, a query built each time', sqliteContenders(open), 200)
await compare('Drizzle on SQLite, a prepared query', drizzleContenders(open, 'prepared'), 500)
await compare('Drizzle on SQLite, a query built each time', drizzleContenders(open, 'built'), 100)

// From the ratio, and the quietest round of the baseline: medians hold what others have done meanwhile.
const addedNs = Object.fromEntries(
  Object.entries(results).map(([title, [base, ...others]]) => [
    title,
    Object.fromEntries(
      others.map(({ name, timesBaseline }) => [
        name,
        Math.round((timesBaseline - 1) * base!.bestUs * 1000),
      ]),
    ),
  ]),
)
console.log('nanoseconds added to a query:', addedNs)

if (!quick) {
  writeResults(
    new URL('results/timing.json', import.meta.url),
    [
      'better-sqlite3',
      'kysely',
      'drizzle-orm',
      'kysely-opentelemetry',
      '@kubiks/otel-drizzle',
      '@opentelemetry/sdk-trace-base',
    ],
    { addedNs, results },
  )
}
files.remove()

async function compare(
  title: string,
  contenders: readonly TimingContender[],
  times: number,
): Promise<void> {
  const ids = scatteredIds(times)
  const baseline = contenders[0]!.name
  const standings = await sideBySide({
    title,
    baseline,
    times,
    rounds: quick ? 150 : 1_000,
    warmUpRounds: 50,
    contenders: contenders.map((contender) => ({
      name: contender.name,
      run: () => contender.run(ids),
    })),
  })
  printStandings(title, baseline, standings)
  results[title] = standings
}
