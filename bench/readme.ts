// Writes the ratios of bench/results into the README, so that no number there is typed by hand.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Standing } from './support/side-by-side.ts'

interface Results {
  readonly measured: string
  readonly machine: {
    readonly node: string
    readonly cpu: string
    readonly packages: Record<string, string>
  }
  readonly eventLoopGapMs?: Record<string, number>
  readonly results: Record<string, readonly Standing[]>
}

/** What stands above a table, for each bench. */
const benches: readonly {
  readonly name: string
  readonly about: string
  /** Which of the comparisons are shown, and as what; all of them by default. */
  readonly columns?: Readonly<Record<string, string>>
}[] = [
  {
    name: 'sqlite',
    about:
      'SQLite: time taken, as a multiple of better-sqlite3 by hand with prepared statements (less is faster); the last column\n' +
      'is the longest time the event loop stood still while 100,000 rows were streamed.',
  },
  {
    name: 'sqlite-threads',
    about:
      'SQLite on threads of its own, beside those who do the same: time taken, as a multiple of better-sqlite3 by hand on the\n' +
      'calling thread; the last column is the longest time the event loop stood still while 100,000 rows were read at once.',
    columns: {
      'point select by key': 'point select',
      'point select by key, 64 in flight': '64 in flight',
      '1,000-row select': '1,000 rows',
      '1,000-row select, 8 in flight': '8 in flight',
      '100,000-row select': '100,000 rows',
      'single inserts, 64 in flight': '64 inserts in flight',
      'single inserts, 64 in flight, synchronous = full': 'synchronous = full',
      'mixed load, a read': 'mixed load, a read',
      'mixed load, a write': 'a write',
      'stream of 1,000,000 rows': 'stream',
    },
  },
  {
    name: 'duckdb',
    about:
      'DuckDB: time taken, as a multiple of its client by hand with prepared statements; the last column is the longest time\n' +
      'the event loop stood still while 1,000,000 rows were read at once.',
  },
  {
    name: 'bulk-insert',
    about:
      'Bulk insert into SQLite: time taken, as a multiple of the best loop by hand, in one transaction with one prepared\n' +
      'statement of 50 rows.',
    columns: {
      'SQLite, 6 columns, 100000 rows': '100,000 rows',
      'SQLite, 6 columns, 100000 rows, unique index': 'with a unique index',
      'SQLite, 6 columns, 100000 rows, half of them skipped': 'half of them skipped',
      'SQLite, 6 columns, 100000 rows, half of them updated': 'half of them updated',
      'SQLite, 6 columns, 1000000 rows': '1,000,000 rows',
      'SQLite, 10 columns, 1000000 rows': 'of 10 columns',
    },
  },
  {
    name: 'timing',
    about:
      'Timing: time that a query takes, as a multiple of Kysely alone; over a driver that does nothing, which shows what is\n' +
      'added, and over SQLite.',
    columns: {
      'Kysely, a driver that does nothing': 'a driver that does nothing',
      'Kysely on SQLite, a query built each time': 'a point select on SQLite',
    },
  },
  {
    name: 'indexes',
    about:
      'Schemas that are defined at run time: time that 1,000 of them take, of 12 fields each with three indexes, as a multiple of\n' +
      'a plain walk over their fields. The outputs are SQL, a migration and types for Kysely, and tables for Drizzle.',
    columns: { '1000 schemas of 12 fields': '1,000 schemas of zod' },
  },
  {
    name: 'indexes',
    about:
      'The same 1,000 tables and 3,000 indexes in SQLite: time taken to find that nothing is to be done, as a multiple of reading\n' +
      'the text of the tables.',
    columns: { 'a plan for 1000 tables that are there': '1,000 tables that are there' },
  },
]

/** Call after the benches have written their results. */
export function writeReadme(): void {
  const file = new URL('../README.md', import.meta.url)
  const sections = benches.flatMap(({ name, about, columns }) => {
    const results = new URL(`results/${name}.json`, import.meta.url)
    // A new bench has none before its first full run.
    if (!existsSync(results)) return []
    return [section(name, about, JSON.parse(readFileSync(results, 'utf8')) as Results, columns)]
  })
  const advisor = new URL('results/advisor.json', import.meta.url)
  if (existsSync(advisor)) sections.push(advisorSection(JSON.parse(readFileSync(advisor, 'utf8'))))
  const [before, rest] = readFileSync(file, 'utf8').split('<!-- bench:start -->')
  const after = rest?.split('<!-- bench:end -->')[1]
  if (before === undefined || after === undefined)
    throw new Error('README.md has lost its place for the bench.')
  writeFileSync(
    file,
    `${before}<!-- bench:start -->\n\n${sections.join('\n\n')}\n\n<!-- bench:end -->${after}`,
  )
}

function section(
  name: string,
  about: string,
  { measured, machine, eventLoopGapMs, results: standings }: Results,
  columns: Readonly<Record<string, string>> | undefined,
): string {
  const titles = columns === undefined ? Object.keys(standings) : Object.keys(columns)
  const names = standings[titles[0]!]!.map((standing) => standing.name)
  const head = [
    '',
    ...titles.map((title) => columns?.[title] ?? title),
    ...(eventLoopGapMs === undefined ? [] : ['event loop blocked']),
  ]
  const rows = names.map((contender) => {
    const ratios = titles.map((title) => {
      const standing = standings[title]!.find((each) => each.name === contender)
      return standing === undefined ? '' : told(standing.timesBaseline)
    })
    if (eventLoopGapMs === undefined) return [contender, ...ratios]
    const gap = eventLoopGapMs[contender]
    return [contender, ...ratios, gap === undefined ? '' : `${gap} ms`]
  })
  const table = [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...rows]
  const versions = Object.entries(machine.packages).map(([each, version]) => `${each} ${version}`)
  return [
    about,
    '',
    ...table.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Measured ${measured} in one run, turn by turn, with \`npx -y pnpm@12 bench ${name}\`: Node ${machine.node}, ${machine.cpu},`,
    `${versions.join(', ')}. [All figures](bench/results/${name}.json).`,
  ].join('\n')
}

interface AdvisorResults extends Omit<Results, 'results'> {
  readonly rows: number
  readonly adviseMs: number
  readonly results: Record<
    string,
    {
      readonly indexes: number
      readonly mb: number
      readonly insertUs: number
      readonly workloadMs: number
      readonly worstRegression: number
    }
  >
}

/** Sets of indexes are compared, and by more than time: a table of its own. */
function advisorSection({ measured, machine, rows, adviseMs, results }: AdvisorResults): string {
  const least = Math.min(...Object.values(results).map(({ workloadMs }) => workloadMs))
  const named = Object.entries(results).map(([name, each]) => [
    name,
    told(each.workloadMs / least),
    `${each.mb.toFixed(0)} MB`,
    told(each.insertUs / results['none']!.insertUs),
    told(each.worstRegression),
  ])
  const head = ['indexes', 'all queries', 'size', 'an insert', 'the query that lost most']
  const table = [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...named]
  const versions = Object.entries(machine.packages).map(([each, version]) => `${each} ${version}`)
  return [
    `Advice on indexes, SQLite, ${rows.toLocaleString('en')} rows: time of 12 weighted queries as a multiple of the fastest set, of an insert as a`,
    'multiple of that without indexes, and of the query that lost most (or gained least) as a multiple of its time without.',
    '',
    ...table.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Measured ${measured} with \`npx -y pnpm@12 bench advisor\`: Node ${machine.node}, ${machine.cpu}, ${versions.join(', ')}; the advice took`,
    `${(adviseMs / 1_000).toFixed(1)} s. [All figures](bench/results/advisor.json).`,
  ].join('\n')
}

/** With two digits behind the point, and more where they would be zeroes. */
function told(ratio: number): string {
  return ratio < 0.01 ? ratio.toPrecision(1) : ratio.toFixed(2)
}
