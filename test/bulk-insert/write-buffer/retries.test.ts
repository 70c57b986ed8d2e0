import { setTimeout as sleep } from 'node:timers/promises'
import { OutcomeUnknownError, RowExpiredError } from '@keelson/bulk-insert/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { cuttingProxy } from '../../support/cutting-proxy.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { busy, createDatabase, expectBalance, open, row, rows, withFaults } from './fixture.ts'

const quickly = { minDelayMs: 1, maxDelayMs: 5 }

test('B7: a batch that another process keeps out is sent again, and nothing overtakes it', async () => {
  const path = temporaryFile()
  const { buffer, ids } = await open({ engine: 'sqlite', path, busyTimeoutMs: 0 })
  const other = new BetterSqlite3(path)
  onTestFinished(() => void other.close())
  other.exec('begin immediate')
  const events = buffer({ lingerMs: 0, flushRows: 2, retry: quickly })
  const all = rows(1, 5).map((each) => events.add(each))
  await expect.poll(() => events.stats.retries, { timeout: 10_000 }).toBeGreaterThan(1)
  expect(events.stats).toMatchObject({ written: 0, pending: 5 })
  other.exec('commit')
  await Promise.all(all)
  expect(await ids()).toEqual([1, 2, 3, 4, 5])
})

test('B7: a row that cannot be written for maxAgeMs expires, with the last error as its cause', async () => {
  const { buffer } = await open({
    engine: 'sqlite',
    decorate: withFaults((step) => (step === 'begin' ? busy() : undefined)),
  })
  const events = buffer({ lingerMs: 0, retry: { ...quickly, maxAgeMs: 60 } })
  const start = performance.now()
  const error = await rejection(events.add(row(1)))
  expect(performance.now() - start).toBeGreaterThanOrEqual(59)
  expect(error).toBeInstanceOf(RowExpiredError)
  expect(error).toMatchObject({
    code: 'ROW_EXPIRED',
    message:
      'The row could not be written within 60 ms (retry.maxAgeMs), and is not in the table; the last error was: database is locked',
    cause: { code: 'SQLITE_BUSY' },
  })
  expect(error['ageMs']).toBeGreaterThanOrEqual(60)
  expect(events.stats).toMatchObject({ accepted: 1, rejected: 1, lost: 1, pending: 0 })
})

test('B7: after retry.attempts a batch is given up', async () => {
  let attempts = 0
  const { buffer } = await open({
    engine: 'sqlite',
    decorate: withFaults((step) => (step === 'begin' && ++attempts > 0 ? busy() : undefined)),
  })
  const events = buffer({ lingerMs: 0, retry: { ...quickly, attempts: 4 } })
  const error = await rejection(events.add(row(1)))
  expect(error.message).toMatch(/^The row could not be written in 4 attempts \(retry\.attempts\)/)
  expect(error['attempts']).toBe(4)
  expect(attempts).toBe(4)
})

test('B7: a commit that failed for a conflict is sent again, also where the layer of transactions retries', async () => {
  let conflicts = 2
  const decorate = withFaults((step) => (step === 'commit' && conflicts-- > 0 ? busy() : undefined))
  const { buffer, ids } = await open({ engine: 'sqlite', isWrapped: true, retry: 5, decorate })
  // More rows than the bulk insert reads at once: run again in the middle, it would leave some out.
  const events = buffer({ flushRows: 2_500, retry: quickly })
  await events.addMany(rows(1, 2_500))
  expect(await ids()).toHaveLength(2_500)
  expect(events.stats).toMatchObject({ written: 2_500, batches: 1 })
})

describe('PostgreSQL', () => {
  async function database() {
    const connectionString = await createDatabase()
    const outside = new Client({ connectionString })
    await outside.connect()
    outside.on('error', () => {})
    onTestFinished(() => outside.end())
    return { connectionString, outside }
  }

  for (const isWrapped of [false, true]) {
    test(`B7: a connection that is lost before COMMIT costs nothing, wrapped: ${isWrapped}`, async () => {
      const { connectionString, outside } = await database()
      const { buffer, ids } = await open({ engine: 'postgresql', connectionString, isWrapped })
      await outside.query(
        `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.15); return new; end'`,
      )
      await outside.query(
        'create trigger slow before insert on event for each statement execute function slow()',
      )
      const events = buffer({ lingerMs: 0, retry: quickly })
      const all = rows(1, 4).map((each) => events.add(each))
      await sleep(80)
      await outside.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
      )
      await Promise.all(all)
      expect(await ids()).toEqual([1, 2, 3, 4])
      expect(events.stats).toMatchObject({ written: 4, inserted: 4 })
      expect(events.stats.retries).toBeGreaterThan(0)
    })

    for (const when of ['before', 'after'] as const) {
      test(`B10: a connection that is lost ${when} COMMIT arrives is an unknown outcome, wrapped: ${isWrapped}`, async () => {
        const { connectionString } = await database()
        const proxy = await cuttingProxy(connectionString)
        const { buffer, ids } = await open({
          engine: 'postgresql',
          connectionString: proxy.connectionString,
          isWrapped,
        })
        const events = buffer({ retry: quickly })
        const cut = proxy.cutAtCommit(when)
        const error = await rejection(events.add(row(1)))
        await cut
        expect(error).toBeInstanceOf(OutcomeUnknownError)
        expect(error.message).toMatch(
          /^A batch of 1 rows was sent, and the connection was lost before the answer to its COMMIT came: .* Name an `idempotencyKey`/,
        )
        expect(events.stats).toMatchObject({ rejected: 1, lost: 1, pending: 0 })
        await events.add(row(2))
        expect(await ids()).toEqual(when === 'before' ? [2] : [1, 2])
      })

      test(`B10: with an idempotencyKey it is sent again, and is there once: ${when}, wrapped: ${isWrapped}`, async () => {
        const { connectionString } = await database()
        const proxy = await cuttingProxy(connectionString)
        const { buffer, ids } = await open({
          engine: 'postgresql',
          connectionString: proxy.connectionString,
          isWrapped,
        })
        const events = buffer({ idempotencyKey: 'id', retry: quickly })
        const cut = proxy.cutAtCommit(when)
        const all = rows(1, 3).map((each) => events.add(each))
        const fates = await Promise.all(all)
        await cut
        const status = when === 'before' ? 'written' : 'committed'
        expect(fates).toEqual([{ status }, { status }, { status }])
        expect(await ids()).toEqual([1, 2, 3])
        expect(events.stats).toMatchObject({ written: 3, retries: 1, rejected: 0 })
        expectBalance(events.stats)
      })
    }
  }
})
