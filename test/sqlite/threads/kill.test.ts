import { openSqlite, type SqliteDatabase } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { startProgram } from '../../support/program.ts'
import { record, runs, seed } from '../../support/runs.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { column, value } from '../fixture.ts'
import { type Mode, modes, random } from './fixture.ts'

/** What the writers of one file said they had kept. */
class Acknowledged {
  readonly rows: number[] = []
  readonly gone: number[] = []
  readonly groups: number[] = []
  readonly versions = new Map<string, number>()
  count = 0

  add(line: string): void {
    this.count++
    const [, kind, rest] = /^(\w+) (.*)$/.exec(line)!
    if (kind === 'row') this.rows.push(Number(rest))
    else if (kind === 'gone') this.gone.push(Number(rest))
    else if (kind === 'group') this.groups.push(Number(rest))
    else if (kind === 'version') {
      const [, key, n] = /^(.*) (\d+)$/.exec(rest!)!
      this.versions.set(key!, Math.max(Number(n), this.versions.get(key!) ?? 0))
    } else throw new Error(`The writer said ${line}`)
  }
}

/** Runs writers, kills their process that long after they acknowledged the first, and adds what they had said by then. */
async function killedWriters(
  path: string,
  synchronous: 'normal' | 'full',
  mode: Mode,
  afterMs: number,
  acknowledged: Acknowledged,
): Promise<void> {
  const writers = startProgram(
    new URL('./programs/group-writer.ts', import.meta.url),
    path,
    synchronous,
    mode,
  )
  if ((await writers.line()) !== 'ready') throw new Error((await writers.end()).stderr)
  let gone: Promise<void> | undefined
  for (let line = await writers.line(); line !== undefined; line = await writers.line()) {
    acknowledged.add(line)
    gone ??= new Promise((resolve) => setTimeout(resolve, afterMs)).then(() => writers.kill())
  }
  await gone
  if (gone === undefined) throw new Error((await writers.end()).stderr)
}

async function expectKept(database: SqliteDatabase, acknowledged: Acknowledged): Promise<void> {
  expect(await database.maintenance.integrityCheck()).toEqual({ ok: true, problems: [] })
  const rows = new Set(await column(database, 'select id from single'))
  expect(acknowledged.rows.filter((id) => !rows.has(id))).toEqual([])
  expect(acknowledged.gone.filter((id) => rows.has(id))).toEqual([])
  const groups = new Set(await column(database, 'select grp from member'))
  expect(acknowledged.groups.filter((id) => !groups.has(id))).toEqual([])
  for (const [key, n] of acknowledged.versions)
    expect(
      await value(database, 'select n from version where key = ?', [key]),
    ).toBeGreaterThanOrEqual(n)
  expect(
    await column(database, 'select grp from member group by grp having count(*) <> 5'),
  ).toEqual([])
  expect(await value(database, 'select members from total')).toBe(
    await value(database, 'select count(*) from member'),
  )
}

const kills = runs(3, 100)
const killsPerFile = 10

describe.for(modes)('a process that is killed while many write at once: %s', (mode) => {
  test(
    'has kept all it acknowledged, and nothing by halves',
    { timeout: 60_000 + kills * 10_000 },
    async () => {
      const start = performance.now()
      const next = random(seed)
      const acknowledged = { normal: 0, full: 0 }
      const files = new Map<string, { readonly path: string; readonly said: Acknowledged }>()
      for (let kill = 0; kill < kills; kill++) {
        const synchronous = kill % 2 === 0 ? 'normal' : 'full'
        // Files that are killed again and again are recovered again and again, and are not to grow for ever.
        const key = `${synchronous} ${Math.floor(kill / (2 * killsPerFile))}`
        const file = files.get(key) ?? { path: temporaryFile(), said: new Acknowledged() }
        files.set(key, file)
        const earlier = file.said.count
        await killedWriters(file.path, synchronous, mode, next() * 250, file.said)
        acknowledged[synchronous] += file.said.count - earlier

        const database = openSqlite({ path: file.path, synchronous })
        try {
          await expectKept(database, file.said)
        } finally {
          await database.close()
        }
      }
      expect(acknowledged.normal).toBeGreaterThan(0)
      expect(acknowledged.full).toBeGreaterThan(0)
      record('kill-sqlite-threads', {
        [mode]: {
          kills,
          acknowledged: acknowledged.normal + acknowledged.full,
          acknowledgedSynchronousFull: acknowledged.full,
          lost: 0,
          halfTransactions: 0,
          durationMs: Math.round(performance.now() - start),
        },
      })
    },
  )
})
