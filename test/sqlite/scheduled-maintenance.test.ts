import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseClosedError, OptionError } from '@keelson/core'
import type { MaintenanceSchedule, MaintenanceTask, SqliteDatabase } from '@keelson/sqlite'
import { describe, expect, test, vi } from 'vitest'
import { startProgram } from '../support/program.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { open, run, value } from './fixture.ts'

type Result = Parameters<NonNullable<MaintenanceSchedule['onResult']>>[0]

/** Runs a schedule until so many results have come. */
async function resultsOf(
  database: SqliteDatabase,
  every: MaintenanceSchedule['every'],
  count: number,
): Promise<Result[]> {
  const results: Result[] = []
  await new Promise<void>((resolve) => {
    const schedule = database.maintain({
      every,
      onResult(result) {
        results.push(result)
        if (results.length < count) return
        schedule.stop()
        resolve()
      },
    })
  })
  return results
}

describe('maintain()', () => {
  test('runs each task after its interval, again and again', async () => {
    const database = open()
    await run(database, 'create table t (a)')
    const every = { optimize: 5, checkpoint: 7, integrityCheck: 6, foreignKeyCheck: 8, vacuum: 20 }
    const results = await resultsOf(database, every, 25)
    expect(new Set(results.map(({ task }) => task))).toEqual(new Set(Object.keys(every)))
    for (const { error, elapsedMs } of results) {
      expect(error).toBeUndefined()
      expect(elapsedMs).toBeGreaterThanOrEqual(0)
    }
  })

  test('writes the log back, and shortens it', async () => {
    const database = open()
    await run(database, 'create table t (a)', 'insert into t values (1)')
    expect(statSync(`${database.path}-wal`).size).toBeGreaterThan(0)
    await resultsOf(database, { checkpoint: 5 }, 1)
    expect(statSync(`${database.path}-wal`).size).toBe(0)
  })

  test('tells what a check has found, as an error', async () => {
    const database = open({ foreignKeys: false })
    await run(
      database,
      'create table parent (id integer primary key)',
      'create table child (p references parent)',
      'insert into child values (5), (6)',
    )
    const [result] = await resultsOf(database, { foreignKeyCheck: 5 }, 1)
    expect(result).toMatchObject({ task: 'foreignKeyCheck' })
    expect(result!.error).toMatchObject({ code: 'MAINTENANCE_CHECK_FAILED' })
    expect((result!.error as Error).message).toMatch(
      /foreign_key_check found 1 problem\(s\): 2 rows of child lack their parent/,
    )
  })

  test('never runs inside a transaction: it waits for its end', async () => {
    const database = open({ busyTimeoutMs: 60_000 })
    await run(database, 'create table t (a)')
    const ran: MaintenanceTask[] = []
    const errors: unknown[] = []
    const schedule = database.maintain({
      every: { vacuum: 5, optimize: 5, checkpoint: 5 },
      onResult: ({ task, error }) => {
        ran.push(task)
        if (error !== undefined) errors.push(error)
      },
    })
    await database.transaction(async (tx) => {
      for (let round = 0; round < 10; round++) {
        await tx.execute('insert into t values (1)')
        await sleep(5)
      }
      expect(ran).toEqual([])
    })
    await vi.waitFor(
      () => expect(new Set(ran)).toEqual(new Set(['vacuum', 'optimize', 'checkpoint'])),
      { timeout: 30_000, interval: 5 },
    )
    schedule.stop()
    expect(errors).toEqual([])
    expect(await value(database, 'select count(*) from t')).toBe(10)
  })

  test('does not pile up behind a transaction', async () => {
    const database = open()
    let ran = 0
    const schedule = database.maintain({ every: { optimize: 2 }, onResult: () => void ran++ })
    await database.transaction(() => sleep(80))
    const behind = ran
    await sleep(0)
    schedule.stop()
    expect(behind).toBeLessThanOrEqual(2)
  })

  test('gives up when a transaction never ends, says so, and tries again', async () => {
    const database = open({ busyTimeoutMs: 30 })
    const session = database.connect()
    await session.begin()
    const [result] = await resultsOf(database, { optimize: 5 }, 1)
    expect(result!.error).toMatchObject({ code: 'CONNECTION_BUSY' })
    await session.rollback()
    const [next] = await resultsOf(database, { optimize: 5 }, 1)
    expect(next!.error).toBeUndefined()
  })

  test('stops when it is told to', async () => {
    const database = open()
    let ran = 0
    const schedule = database.maintain({ every: { optimize: 3 }, onResult: () => void ran++ })
    const other = database.maintain({ every: { checkpoint: 3 } })
    while (ran < 2) await sleep(1)
    schedule.stop()
    schedule.stop()
    await sleep(10)
    const stopped = ran
    await sleep(30)
    expect(ran).toBe(stopped)
    other.stop()
  })

  test('stops when the database is closed, and cannot be started on a closed one', async () => {
    const database = open()
    const results: Result[] = []
    database.maintain({
      every: { optimize: 2, integrityCheck: 2 },
      onResult: (result) => results.push(result),
    })
    while (results.length < 2) await sleep(1)
    await database.close()
    const count = results.length
    await sleep(30)
    expect(results.length).toBeLessThanOrEqual(count + 2)
    const late = results.slice(count).map(({ error }) => (error as Error).name)
    for (const name of late) expect(name).toBe('DatabaseClosedError')
    expect(await rejection(() => database.maintain({ every: { optimize: 5 } }))).toBeInstanceOf(
      DatabaseClosedError,
    )
  })

  test('a listener that throws harms nothing; it becomes a warning', async () => {
    const database = open()
    const warnings: Error[] = []
    const listen = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listen)
    try {
      let calls = 0
      const schedule = database.maintain({
        every: { optimize: 3 },
        onResult() {
          calls++
          throw new Error('mine')
        },
      })
      while (calls < 3) await sleep(1)
      schedule.stop()
      await sleep(5)
    } finally {
      process.off('warning', listen)
    }
    expect(warnings.length).toBeGreaterThanOrEqual(3)
    expect(warnings[0]).toMatchObject({
      name: 'KeelsonMaintenanceWarning',
      message: 'Maintenance task optimize: mine',
    })
  })

  test('refuses tasks and intervals that mean nothing', async () => {
    const database = open()
    const wrong: [object, string][] = [
      [{ every: { optimise: 5 } }, 'optimise'],
      [{ every: { optimize: 0 } }, 'every.optimize'],
      [{ every: { optimize: 1.5 } }, 'every.optimize'],
      [{ every: { optimize: 2 ** 31 } }, 'every.optimize'],
      [{ every: { optimize: '5' } }, 'every.optimize'],
      [{ every: {}, onresult() {} }, 'onresult'],
    ]
    for (const [schedule, option] of wrong) {
      const error = await rejection(() => database.maintain(schedule as MaintenanceSchedule))
      expect(error).toBeInstanceOf(OptionError)
      expect(error.option).toBe(option)
    }
  })

  test('does not keep a process alive', async () => {
    const program = startProgram(
      new URL('./programs/maintained.ts', import.meta.url),
      temporaryFile(),
    )
    expect(await program.line()).toBe('started')
    expect(await program.end()).toEqual({ code: 0, stderr: '' })
  })
})
