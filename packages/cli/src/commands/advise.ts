import { type CommandUnknownOpts, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import {
  adviceAsDrizzleIndexes,
  adviceAsKyselyMigration,
  type AdviseOptions,
  type FullScan,
  type IndexAdvice,
} from '@keelson/indexes'
import { adviceReport } from '../advice/advice-lines.ts'
import { compareWithBaseline } from '../advice/baseline.ts'
import { readWorkload } from '../advice/read-workload.ts'
import { loadConfig } from '../config/load-config.ts'
import { type OpenDatabase, withDatabase } from '../config/open-database.ts'
import { WorkloadError } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { schemaCommand } from '../schema/schema-command.ts'
import { isConfirmed } from '../schema/is-confirmed.ts'
import { paint } from '../schema/paint.ts'
import { print, say } from '../schema/print.ts'
import { header } from '../top/header.ts'

const whatIfs = {
  auto: 'auto',
  hypopg: 'hypopg',
  'create-and-roll-back': 'createAndRollBack',
  rules: 'rules',
} as const
const emits = ['sql', 'kysely-migration', 'drizzle'] as const

/** `keelson advise`: which indexes the queries that ran lack. */
export function adviseCommand(end: (code: ExitCode) => void): CommandUnknownOpts {
  return schemaCommand(
    'advise',
    'which indexes the queries that ran lack, and which nobody uses',
    'Reads which queries ran, asks how the database would run them with further indexes, and prints those that are worth their space, with the plans before and after. Changes nothing without --apply, and never drops an index.',
  )
    .requiredOption(
      '-w, --workload <file or url>',
      'a workload.json, or where the application serves timingHandler(timing): http://localhost:3000/timing',
    )
    .option(
      '-H, --header <name: value>',
      'send it along to the application; may be repeated',
      header,
    )
    .option('--apply', 'create the indexes, in one transaction')
    .option('-y, --yes', 'do not ask')
    .addOption(
      new Option('-e, --emit <what>', 'print the advice as code').choices(emits).conflicts('json'),
    )
    .option('--budget-mb <megabytes>', 'the most that all of them may take', number)
    .option('--max-per-table <indexes>', 'the most for one table (default: 10)', number)
    .option('--database <name>', 'only queries of this database of the workload')
    .option('-s, --schema <name>', "the schema of the tables (default: the connection's own)")
    .addOption(
      new Option('--what-if <how>', 'who says how a query would run').choices(
        Object.keys(whatIfs) as (keyof typeof whatIfs)[],
      ),
    )
    .option('--verify', 'create each index, run a query with it, and roll it back (DuckDB)')
    .option('--baseline <file>', 'end with 3 when a query reads a whole table that did not before')
    .option('--update-baseline', 'write the baseline')
    .addHelpText(
      'after',
      `
Ends with 0 when nothing is to be created, 2 when there is, 3 when there are full scans that the baseline does not have.

Examples:
  $ keelson advise --workload workload.json
  $ keelson advise --workload http://localhost:3000/timing --apply
  $ keelson advise --workload workload.json --emit kysely-migration > migrations/0007_indexes.ts
  $ keelson advise --workload workload.json --baseline scans.json      # in CI`,
    )
    .action(async ({ config: path, workload: from, header: headers = [], ...options }) => {
      if (options.updateBaseline === true && options.baseline === undefined)
        throw new WorkloadError(
          'NO_BASELINE',
          '--update-baseline writes a file, and none was named. It takes --baseline <file>.',
        )
      const config = await loadConfig(path)
      const workload = await readWorkload(from, headers)
      await withDatabase(config, async (database) => {
        const advice = await database.advise(workload, adviseOptions(options))
        const scans =
          options.baseline === undefined
            ? []
            : await compareWithBaseline(advice, options.baseline, options.updateBaseline === true)
        end(await show(database, advice, scans, options))
      })
    })
}

interface Options {
  readonly json?: true
  readonly apply?: true
  readonly yes?: true
  readonly emit?: (typeof emits)[number]
  readonly budgetMb?: number
  readonly maxPerTable?: number
  readonly database?: string
  readonly schema?: string
  readonly whatIf?: keyof typeof whatIfs
  readonly verify?: true
}

function adviseOptions(options: Options): AdviseOptions {
  const { budgetMb, maxPerTable, database, schema, whatIf, verify } = options
  return {
    budgetMb,
    maxPerTable,
    database,
    schema,
    whatIf: whatIf && whatIfs[whatIf],
    verify: verify === true ? 'explainAnalyze' : undefined,
  }
}

async function show(
  database: OpenDatabase,
  advice: IndexAdvice,
  scans: readonly FullScan[],
  { json, apply, yes, emit }: Options,
): Promise<ExitCode> {
  const { proposals } = advice
  const isWanted = apply === true && proposals.length > 0
  // One document, after all that can fail.
  if (emit !== undefined) process.stdout.write(code(advice, emit))
  else if (json !== true) print(false, advice, () => adviceReport(advice, scans))
  const isDone = isWanted && (await create(database, advice, { json, yes }))
  if (json === true) print(true, { advice, newFullScans: scans, applied: isDone }, () => [])
  if (isDone) say(`${paint('green', 'Created')} ${counted(proposals.length)}.`)
  if (scans.length > 0) return exitCodes.unsafe
  return proposals.length === 0 || isDone ? exitCodes.clean : exitCodes.changes
}

async function create(
  database: OpenDatabase,
  advice: IndexAdvice,
  { json, yes }: { readonly json: true | undefined; readonly yes: true | undefined },
): Promise<boolean> {
  // Who reads JSON has not seen what is asked about.
  if (yes !== true && (json === true || !(await isConfirmed('Create them')))) {
    say('Nothing was done. Say --yes to create them.')
    return false
  }
  await database.applyAdvice(advice)
  return true
}

function code(advice: IndexAdvice, emit: (typeof emits)[number]): string {
  switch (emit) {
    case 'sql':
      return advice.sql.map((statement) => `${statement};\n`).join('')
    case 'kysely-migration':
      return adviceAsKyselyMigration(advice)
    case 'drizzle':
      return Array.from(
        adviceAsDrizzleIndexes(advice),
        ([table, indexes]) => `// ${table}\n${indexes}`,
      ).join('\n')
  }
}

function counted(count: number): string {
  return count === 1 ? '1 index' : `${count} indexes`
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('Give a number.')
  return value
}
