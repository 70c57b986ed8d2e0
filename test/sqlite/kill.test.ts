import { openSqlite, type SqliteDatabase } from '@keelson/sqlite'
import { expect, test } from 'vitest'
import { startProgram } from '../support/program.ts'
import { record, runs, seed } from '../support/runs.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { column, value } from './fixture.ts'

/** What a writer said it had kept. */
class Acknowledged {
  readonly rows: number[] = []
  readonly groups: number[] = []
  readonly streamed: number[] = []
  readonly versions = new Map<string, number>()
  count = 0

  add(line: string): void {
    const [kind, id, n] = line.split(' ')
    this.count++
    if (kind === 'row') this.rows.push(Number(id))
    else if (kind === 'group') this.groups.push(Number(id))
    else if (kind === 'streamed') this.streamed.push(Number(id))
    else if (kind === 'version') this.versions.set(id!, Number(n))
    else throw new Error(`The writer said ${line}`)
  }
}

/**
 * Runs a writer, kills it, and adds what it had acknowledged by then.
 *
 * @param afterMs since it acknowledged the first, or, for an early kill, since it was started: it may be opening the file
 */
async function killedWriter(
  path: string,
  synchronous: string,
  { isEarly, afterMs }: { readonly isEarly: boolean; readonly afterMs: number },
  acknowledged: Acknowledged,
): Promise<void> {
  const writer = startProgram(new URL('./programs/writer.ts', import.meta.url), path, synchronous)
  const kill = (): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, afterMs)).then(() => writer.kill())
  const killed = isEarly ? kill() : undefined
  const first = await writer.line()
  if (first !== 'ready' && !isEarly) throw new Error((await writer.end()).stderr)
  let gone = killed
  for (let line = await writer.line(); line !== undefined; line = await writer.line()) {
    acknowledged.add(line)
    gone ??= kill()
  }
  await gone
}

async function missing(
  database: SqliteDatabase,
  sql: string,
  ids: readonly number[],
): Promise<unknown[]> {
  const present = new Set(await column(database, sql))
  return ids.filter((id) => !present.has(id))
}

/** Numbers from 0 to 1 that follow from the seed. */
function random(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const kills = runs(3, 50)

test(
  'a process that is killed while it writes has kept all it acknowledged, and nothing by halves',
  { timeout: 30_000 + kills * 5_000 },
  async () => {
    const start = performance.now()
    const next = random(seed)
    const paths = { normal: temporaryFile(), full: temporaryFile() }
    const acknowledged = { normal: new Acknowledged(), full: new Acknowledged() }
    for (let kill = 0; kill < kills; kill++) {
      const synchronous = kill % 2 === 0 ? 'normal' : 'full'
      const path = paths[synchronous]
      const kept = acknowledged[synchronous]
      // The first two make the tables.
      const isEarly = kill > 1 && next() < 0.2
      await killedWriter(
        path,
        synchronous,
        { isEarly, afterMs: next() * (isEarly ? 150 : 250) },
        kept,
      )

      const database = openSqlite({ path, synchronous })
      try {
        expect(await database.maintenance.integrityCheck()).toEqual({ ok: true, problems: [] })
        expect(await missing(database, 'select id from single', kept.rows)).toEqual([])
        expect(await missing(database, 'select grp from member', kept.groups)).toEqual([])
        expect(await missing(database, 'select grp from streamed', kept.streamed)).toEqual([])
        for (const [key, n] of kept.versions)
          expect(
            await value(database, 'select n from version where key = ?', [key]),
          ).toBeGreaterThanOrEqual(n)
        expect(
          await column(database, 'select grp from member group by grp having count(*) <> 5'),
        ).toEqual([])
        expect(
          await column(database, 'select grp from streamed group by grp having count(*) <> 3'),
        ).toEqual([])
        expect(await value(database, 'select members from total')).toBe(
          await value(database, 'select count(*) from member'),
        )
      } finally {
        await database.close()
      }
    }
    expect(acknowledged.normal.count).toBeGreaterThan(0)
    expect(acknowledged.full.count).toBeGreaterThan(0)
    record('kill-sqlite', {
      kills,
      acknowledged: acknowledged.normal.count + acknowledged.full.count,
      acknowledgedSynchronousFull: acknowledged.full.count,
      lost: 0,
      halfTransactions: 0,
      durationMs: Math.round(performance.now() - start),
    })
  },
)
