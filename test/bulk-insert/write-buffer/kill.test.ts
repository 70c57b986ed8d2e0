import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWriteBuffer } from '@keelson/bulk-insert/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, sql } from 'kysely'
import { expect, test } from 'vitest'
import { startProgram } from '../../support/program.ts'
import { record, runs } from '../../support/runs.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const kills = runs(5, 100)

test(
  'B15, B17: after kill -9 and a replay every acknowledged row is there exactly once',
  { timeout: 30_000 + kills * 10_000 },
  async () => {
    const start = performance.now()
    const directory = temporaryDirectory()
    const path = join(directory, 'test.db')
    const spill = join(directory, 'spill')
    let next = 1
    let acknowledged = 0
    let replayed = 0
    for (let kill = 0; kill < kills; kill++) {
      const program = startProgram(
        new URL('../programs/spilling.ts', import.meta.url),
        path,
        spill,
        String(next),
      )
      const ready = await program.line()
      if (ready !== 'ready') throw new Error((await program.end()).stderr)
      const told: number[] = []
      // Every second one some time after it has told of a row, the others at any time.
      if (kill % 2 === 1) told.push(Number(await program.line()))
      const killed = sleep(20 + Math.random() * 250).then(() => program.kill())
      for (let line = await program.line(); line !== undefined; line = await program.line())
        told.push(Number(line))
      await killed

      const db = new Kysely<{ event: { id: number; body: string } }>({
        dialect: new SqliteDialect({ path }),
      })
      const buffer = createWriteBuffer(db, 'event', {
        idempotencyKey: 'id',
        spill: { path: spill },
      })
      await buffer.flush()
      replayed += buffer.stats.replayed
      expect(await buffer.close()).toMatchObject({ rejected: 0, spilled: 0, pending: 0 })
      const { rows } = await sql<{
        id: number
        body: string
      }>`select id, body from event order by place`.execute(db)
      const present = rows.map(({ id }) => id)
      await db.destroy()
      expect(new Set(present).size).toBe(present.length)
      expect(present).toEqual(present.toSorted((one, other) => one - other))
      const there = new Set(present)
      expect(told.filter((id) => !there.has(id))).toEqual([])
      for (const { id, body } of rows) expect(body).toBe(`body ${id}`.padEnd((id * 37) % 400, '.'))
      acknowledged += told.length
      // Ids of rows that nobody was told of may be in the table, too.
      next = Math.max(next, ...present.slice(-1), ...told.slice(-1)) + 1_000
    }
    expect(acknowledged).toBeGreaterThanOrEqual(Math.floor(kills / 2))
    record('kill-write-buffer', {
      kills,
      acknowledged,
      replayed,
      lost: 0,
      twice: 0,
      durationMs: Math.round(performance.now() - start),
    })
  },
)

test('B16: without a spill kill -9 loses nothing that was acknowledged', async () => {
  const path = join(temporaryDirectory(), 'test.db')
  const program = startProgram(new URL('../programs/spilling.ts', import.meta.url), path, '', '1')
  expect(await program.line()).toBe('ready')
  const told: number[] = [Number(await program.line())]
  const killed = sleep(Math.random() * 150).then(() => program.kill())
  for (let line = await program.line(); line !== undefined; line = await program.line())
    told.push(Number(line))
  await killed
  const db = new Kysely<{ event: { id: number } }>({ dialect: new SqliteDialect({ path }) })
  const rows = await db.selectFrom('event').select('id').execute()
  await db.destroy()
  const there = new Set(rows.map(({ id }) => id))
  expect(told.filter((id) => !there.has(id))).toEqual([])
})
