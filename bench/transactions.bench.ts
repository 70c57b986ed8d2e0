// What `withTransactions` and `transaction(db, fn)` cost beside the ORM alone and the bare client: an empty and a short transaction, a
// savepoint, a query outside and inside a transaction. Run alone with `pnpm bench transactions`, or for a first look with
// `pnpm bench transactions --quick`. Everything is CPU time of the calling thread, with which a busy machine interferes.
import { PeopleFiles, scatteredIds } from './support/people.ts'
import { printStandings, writeResults } from './support/results.ts'
import { sideBySide, type Standing } from './support/side-by-side.ts'
import {
  fewPeople,
  type TransactionContender,
  transactionGroups,
} from './support/transaction-contenders.ts'

const quick = process.argv.includes('--quick')
const files = new PeopleFiles()
const groups = await transactionGroups(files)
const results: Record<string, Standing[]> = {}

const manyIds = scatteredIds(400)
const fewIds = manyIds.map((id) => (id % fewPeople) + 1)

for (const { name: group, contenders } of groups) {
  const isSlow = group.includes('PGlite')
  const ids = isSlow ? fewIds.slice(0, 100) : manyIds
  const times = isSlow ? 50 : 200
  const baseline = contenders[0]!.name
  const jobs: Record<string, (contender: TransactionContender) => (times: number) => unknown> = {
    'empty transaction': (contender) => (n) => contender.emptyTransaction(n),
    'short transaction': (contender) => () => contender.shortTransaction(ids),
    'savepoint in a transaction': (contender) => (n) => contender.savepoint(n),
    'query outside': (contender) => () => contender.queryOutside(ids),
    'query inside': (contender) => () => contender.queryInside(ids),
  }
  for (const [job, run] of Object.entries(jobs)) {
    const title = `${group}: ${job}`
    const standings = await sideBySide({
      title,
      baseline,
      times: job.startsWith('query') || job.startsWith('short') ? ids.length : times,
      rounds: quick ? 5 : 41,
      warmUpRounds: 5,
      contenders: contenders.map((contender) => ({ name: contender.name, run: run(contender) })),
    })
    printStandings(title, baseline, standings)
    results[title] = standings
  }
  for (const contender of contenders) await contender.close()
}

const targets = Object.fromEntries(
  groups.flatMap(({ name: group }) => [
    [
      `${group}: query outside a transaction, times the ORM alone (target <= 1.05)`,
      ratio(`${group}: query outside`, 'transaction(db, fn)'),
    ],
    [
      `${group}: transaction(db, fn), times db.transaction() (target <= 1.15)`,
      ratio(`${group}: empty transaction`, 'transaction(db, fn)'),
    ],
    [
      `${group}: the same, with an update and two selects in it`,
      ratio(`${group}: short transaction`, 'transaction(db, fn)'),
    ],
  ]),
)
console.log(targets)

if (!quick) {
  writeResults(
    new URL('results/transactions.json', import.meta.url),
    ['better-sqlite3', '@electric-sql/pglite', 'kysely', 'drizzle-orm'],
    { targets, results },
  )
}
files.remove()

function ratio(title: string, of: string): number {
  const { timesBaseline } = results[title]!.find(({ name }) => name === of)!
  return Math.round(timesBaseline * 100) / 100
}
