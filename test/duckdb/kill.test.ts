import { openDuckDB, type DuckDBDatabase } from '@keelson/duckdb'
import { expect, test } from 'vitest'
import { startProgram } from '../support/program.ts'
import { record, runs, seed } from '../support/runs.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { column, value } from './fixture.ts'

/** What a writer said it had kept, by kind. */
type Acknowledged = Record<'row' | 'group' | 'streamed' | 'batch', number[]>

/**
 * Runs a writer, kills it, and adds what it had acknowledged by then.
 *
 * @param afterMs since it began to write, or, where it `hasKept` something, since it acknowledged the first
 */
async function killedWriter(
  path: string,
  { hasKept, afterMs }: { readonly hasKept: boolean; readonly afterMs: number },
  kept: Acknowledged,
): Promise<void> {
  const writer = startProgram(new URL('./programs/writer.ts', import.meta.url), path)
  if ((await writer.line()) !== 'ready') throw new Error((await writer.end()).stderr)
  const kill = (): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, afterMs)).then(() => writer.kill())
  let gone = hasKept ? undefined : kill()
  for (let line = await writer.line(); line !== undefined; line = await writer.line()) {
    const [kind, id] = line.split(' ')
    kept[kind as keyof Acknowledged].push(Number(id))
    gone ??= kill()
  }
  await gone
}

async function missing(
  database: DuckDBDatabase,
  sql: string,
  ids: readonly number[],
): Promise<number[]> {
  const present = new Set(await column(database, sql))
  return ids.filter((id) => !present.has(id))
}

const kills = runs(8, 100)

test(
  'a process that is killed while it writes has kept all it acknowledged, and nothing by halves',
  { timeout: 60_000 + kills * 5_000 },
  async () => {
    const path = temporaryFile('killed.duckdb')
    const kept: Acknowledged = { row: [], group: [], streamed: [], batch: [] }
    for (let kill = 0; kill < kills; kill++) {
      // Times that follow from the seed, spread over a quarter of a second.
      const afterMs = ((seed + kill * 97) % 251) + 1
      await killedWriter(path, { hasKept: kill % 2 === 0, afterMs }, kept)

      const database = await openDuckDB(path)
      try {
        expect(await missing(database, 'select id from single', kept.row)).toEqual([])
        expect(await missing(database, 'select grp from member', kept.group)).toEqual([])
        expect(await missing(database, 'select grp from streamed', kept.streamed)).toEqual([])
        expect(await missing(database, 'select grp from batch', kept.batch)).toEqual([])
        for (const [table, rows] of [
          ['member', 5],
          ['streamed', 3],
          ['batch', 100],
        ] as const) {
          const halves = `select grp from ${table} group by grp having count(*) <> ${rows}`
          expect(await column(database, halves), table).toEqual([])
        }
        expect(await value(database, 'select sum(members) from total')).toBe(
          await value(database, 'select count(*) from member'),
        )
      } finally {
        await database.close()
      }
    }
    const acknowledged = Object.values(kept).flat().length
    expect(acknowledged).toBeGreaterThanOrEqual(kills / 2)
    record('kill-duckdb', { kills, acknowledged, lost: 0, halfTransactions: 0 })
  },
)
