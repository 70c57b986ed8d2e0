import { adviceLines, type IndexAdvice } from '@keelson/indexes'
import { applyAdvice, type KyselyAdvisor } from '@keelson/indexes/kysely'
import type { Kysely } from 'kysely'
import { number, print, printTable, printText } from '../terminal.ts'
import type { Database } from './schema.ts'

/** What people would ask of these tables, and with which values. */
const questions = [
  {
    title: 'the latest departures of an airport',
    values: ['ATL', 'ORD', 'PHX'],
    ask: (db: Kysely<Database>, origin: string) =>
      db
        .selectFrom('flight')
        .selectAll()
        .where('origin', '=', origin)
        .orderBy('date', 'desc')
        .limit(20),
  },
  {
    title: 'the worst delays of a route',
    values: ['ATL', 'ORD', 'PHX'],
    ask: (db: Kysely<Database>, origin: string) =>
      db
        .selectFrom('flight')
        .selectAll()
        .where('origin', '=', origin)
        .where('destination', '=', 'LAS')
        .orderBy('delay', 'desc')
        .limit(5),
  },
  {
    title: 'arrivals that were hours late',
    values: ['MDW', 'BWI', 'OAK'],
    ask: (db: Kysely<Database>, destination: string) =>
      db
        .selectFrom('flight')
        .select(['date', 'origin', 'delay'])
        .where('destination', '=', destination)
        .where('delay', '>', 240),
  },
  {
    title: 'the ZIP codes of a city',
    values: ['Springfield', 'Portland', 'Houston'],
    ask: (db: Kysely<Database>, city: string) =>
      db.selectFrom('zip').select(['code', 'county']).where('city', '=', city).orderBy('code'),
  },
  {
    title: 'the airports of a state',
    values: ['TX', 'CA', 'AK'],
    ask: (db: Kysely<Database>, state: string) =>
      db.selectFrom('airport').select(['iata', 'name']).where('state', '=', state).orderBy('name'),
  },
]

/** Asks, takes advice from what was asked, creates the indexes, and asks again. */
export async function adviseIndexes(
  kysely: Kysely<Database>,
  advisor: KyselyAdvisor,
): Promise<IndexAdvice> {
  const before = await askAll(kysely)
  const advice = await advisor.advise(kysely)
  for (const line of adviceLines(advice)) printText(line)
  await applyAdvice(kysely, advice)

  const after = await askAll(kysely)
  printTable(
    ['question', 'ms before', 'ms after', 'times as fast'],
    questions.map(({ title }, at) => [title, before[at]!, after[at]!, before[at]! / after[at]!]),
  )
  const refused = advice.refused.filter(({ code }) => code !== 'NOT_USED' && code !== 'NO_GAIN')
  print(`${number(refused.length)} other indexes were thought of and refused, for example:`)
  if (refused[0] !== undefined) printText(`${refused[0].index}: ${refused[0].why}`)
  return advice
}

/** Milliseconds of each question, for all of its values; each is asked five times, and the quickest counts. */
async function askAll(kysely: Kysely<Database>): Promise<readonly number[]> {
  const taken: number[] = []
  for (const { values, ask } of questions) {
    const runs: number[] = []
    for (let run = 0; run < 5; run++) {
      const start = performance.now()
      for (const value of values) await ask(kysely, value).execute()
      runs.push(performance.now() - start)
    }
    taken.push(Math.min(...runs))
  }
  return taken
}
