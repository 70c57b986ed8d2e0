// What `withTiming` adds to a query: over a driver that does nothing, in nanoseconds, and over real SQLite, as a share; beside
// Kysely's `log`, and the two published packages for OpenTelemetry. Run alone with `pnpm bench timing`, or for a first look
// with `pnpm bench timing --quick`. The figures are the CPU time of the calling thread, since a busy machine takes turns.
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

await compare('Kysely, a driver that does nothing', nullContenders(), 100_000)
await compare('Kysely on SQLite, a query built each time', sqliteContenders(open), 2_000)
await compare('Drizzle on SQLite, a prepared query', drizzleContenders(open, 'prepared'), 5_000)
await compare('Drizzle on SQLite, a query built each time', drizzleContenders(open, 'built'), 2_000)

const addedNs = Object.fromEntries(
  Object.entries(results).map(([title, [base, ...others]]) => [
    title,
    Object.fromEntries(
      others.map(({ name, medianCpuUs }) => [
        name,
        Math.round((medianCpuUs! - base!.medianCpuUs!) * 1000),
      ]),
    ),
  ]),
)
console.log('nanoseconds of CPU time added to a query:', addedNs)

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
    rounds: quick ? 7 : 41,
    warmUpRounds: 5,
    contenders: contenders.map((contender) => ({
      name: contender.name,
      run: () => contender.run(ids),
    })),
  })
  printStandings(title, baseline, standings)
  results[title] = standings
}
