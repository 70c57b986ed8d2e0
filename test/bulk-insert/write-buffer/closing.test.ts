import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { BufferClosedError, OutcomeUnknownError } from '@keelson/bulk-insert/kysely'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startProgram } from '../../support/program.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { busy, expectBalance, open, row, rows, setups, withFaults } from './fixture.ts'

const quickly = { minDelayMs: 1, maxDelayMs: 5 }

describe.for(setups)('$engine, wrapped: $isWrapped', (setup) => {
  test('B13: close() refuses new rows, writes those that are there, and returns the counts', async () => {
    const { buffer, ids } = await open(setup)
    const events = buffer({ lingerMs: 60_000, maxRows: 4, flushRows: 4 })
    const all = rows(1, 10).map((each) => events.add(each))
    const closing = events.close()
    const error = await rejection(events.add(row(11)))
    expect(error).toBeInstanceOf(BufferClosedError)
    expect(error.message).toBe(
      'The buffer of "event" is closed and cannot take a row. It is not in the table. Make another buffer for it.',
    )
    expect(await closing).toMatchObject({
      accepted: 10,
      written: 10,
      pending: 0,
      waiting: 0,
      state: 'closed',
    })
    await Promise.all(all)
    expect(await ids()).toEqual(rows(1, 10).map(({ id }) => id))
    expect(events.close()).toBe(events.close())
  })
})

test('B13: close() tries until its deadline, and then rejects every promise', async () => {
  const { buffer, ids } = await open({
    engine: 'sqlite',
    decorate: withFaults((step) => (step === 'begin' ? busy() : undefined)),
  })
  const onLost = vi.fn()
  const events = buffer({ lingerMs: 0, maxRows: 3, flushRows: 2, retry: quickly, onLost })
  const all = rows(1, 5).map((each) => events.add(each))
  const start = performance.now()
  const report = await events.close({ deadlineMs: 80 })
  const elapsedMs = performance.now() - start
  expect(elapsedMs).toBeGreaterThanOrEqual(79)
  expect(elapsedMs).toBeLessThan(1_000)
  // Two of the five never had room, and were not accepted.
  expect(report).toMatchObject({ accepted: 3, written: 0, rejected: 3, lost: 3, pending: 0 })
  expectBalance(report)
  for (const each of all) {
    const error = await rejection(each)
    expect(error).toBeInstanceOf(BufferClosedError)
    expect(error.cause).toMatchObject({ code: 'SQLITE_BUSY' })
  }
  expect(new Set(onLost.mock.calls.map(([{ row }]) => row.id))).toEqual(new Set([1, 2, 3, 4, 5]))
  expect(await ids()).toEqual([])
})

test('B13: what is under way at the deadline and does not answer is an unknown outcome', async () => {
  const { db, buffer } = await open({ engine: 'postgresql' })
  await sql`create or replace function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return new; end $$`.execute(
    db,
  )
  await sql`create trigger slow before insert on event for each statement execute function slow()`.execute(
    db,
  )
  const events = buffer({ lingerMs: 0 })
  const added = events.add(row(1))
  added.catch(() => {})
  await sleep(50)
  const report = await events.close({ deadlineMs: 30 })
  expect(report).toMatchObject({ accepted: 1, rejected: 1, lost: 1, pending: 0 })
  expect(await rejection(added)).toBeInstanceOf(OutcomeUnknownError)
  // The late answer changes nothing any more.
  await sleep(700)
  expect(events.stats).toEqual(report)
})

test('B13: a COMMIT that is answered after the deadline changes nothing that was told', async () => {
  const { buffer, ids } = await open({
    engine: 'sqlite',
    decorate: withFaults(async (step) => {
      if (step === 'commit') await sleep(300)
      return undefined
    }),
  })
  const events = buffer({ lingerMs: 0 })
  const added = events.add(row(1))
  added.catch(() => {})
  await sleep(30)
  const report = await events.close({ deadlineMs: 10 })
  expect(await rejection(added)).toBeInstanceOf(OutcomeUnknownError)
  expect(report).toMatchObject({ accepted: 1, written: 0, rejected: 1, lost: 1 })
  await sleep(400)
  expect(await ids()).toEqual([1])
  expect(events.stats).toEqual(report)
})

test('B13: await using closes the buffer', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  {
    await using events = buffer({ lingerMs: 60_000 })
    void events.addMany(rows(1, 3))
  }
  expect(await ids()).toEqual([1, 2, 3])
})

test('close() of a buffer that has stopped tries once more, and does not wait for the deadline', async () => {
  const { db, buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ lingerMs: 0 })
  await sql`drop table event`.execute(db)
  const added = events.add(row(1))
  added.catch(() => {})
  await rejection(events.flush())
  const report = await events.close({ deadlineMs: 60_000 })
  expect(report).toMatchObject({ accepted: 1, rejected: 1, lost: 1, pending: 0 })
  const error = await rejection(added)
  expect(error).toBeInstanceOf(BufferClosedError)
  expect(error.cause).toMatchObject({ code: 'NO_TABLE' })
})

test('a signal that is aborted closes the buffer', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const controller = new AbortController()
  const events = buffer({ lingerMs: 60_000, signal: controller.signal })
  const added = events.add(row(1))
  controller.abort()
  await added
  expect(await events.close()).toMatchObject({ written: 1, state: 'closed' })
  expect(await ids()).toEqual([1])
})

describe('B14: handleSignals()', () => {
  test('writes what is there when the process is told to end, and lets the signal end it', async () => {
    const path = temporaryFile()
    const program = startProgram(new URL('../programs/signalled.ts', import.meta.url), path)
    expect(await program.line()).toBe('added')
    program.say('go')
    expect(await program.line()).toBe('closed with 3 written')
    const { code, stderr } = await program.end()
    expect({ code, stderr }).toEqual({ code: null, stderr: '' })
    const { ids } = await open({ engine: 'sqlite', path })
    expect(await ids()).toEqual([1, 2, 3])
  })

  test('lets the signal end the process when the last of several buffers is closed', async () => {
    const path = temporaryFile()
    const program = startProgram(new URL('../programs/two-signalled.ts', import.meta.url), path)
    expect(await program.line()).toBe('added')
    program.say('go')
    expect(await program.line()).toBe('one is written')
    expect(await program.line()).toBe('the other is written')
    expect(await program.end()).toEqual({ code: null, stderr: '' })
    const { ids } = await open({ engine: 'sqlite', path })
    expect(await ids()).toEqual([1])
  })

  test('takes its listeners away when it is undone, and when the buffer is closed', async () => {
    const { buffer } = await open({ engine: 'sqlite' })
    const before = process.listenerCount('SIGTERM')
    const undo = buffer().handleSignals()
    expect(process.listenerCount('SIGTERM')).toBe(before + 1)
    undo()
    expect(process.listenerCount('SIGTERM')).toBe(before)
    const events = buffer()
    events.handleSignals({ signals: ['SIGTERM', 'SIGUSR2'] })
    await events.close()
    expect(process.listenerCount('SIGTERM')).toBe(before)
    expect(process.listenerCount('SIGUSR2')).toBe(0)
  })
})

test('close() does not wait for a callback that waits for it', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ onRejected: () => events.close({ deadlineMs: 5_000 }) })
  const start = performance.now()
  await rejection(events.add(row(1, null)))
  await events.close()
  expect(performance.now() - start).toBeLessThan(4_000)
})

test('B19: callbacks that throw stop nothing, and become warnings', async () => {
  const warnings: string[] = []
  const listen = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', listen)
  onTestFinished(() => void process.off('warning', listen))
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer({
    flushRows: 2,
    onRejected: ({ row }) => {
      if (row.id === 2) throw new Error('thrown at once')
      return Promise.reject(new Error('thrown later'))
    },
  })
  const all = rows(1, 6).map(({ id }) => events.add(row(id, id % 2 === 0 ? null : 'kept')))
  await Promise.allSettled(all)
  await events.close()
  expect(await ids()).toEqual([1, 3, 5])
  if (warnings.length < 3) await once(process, 'warning')
  expect(warnings).toEqual(['thrown at once', 'thrown later', 'thrown later'])
})

test('B18: a clock that is set has no effect on ages and waits', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ lingerMs: 5 })
  const real = Date.now
  Date.now = () => real() + 86_400_000
  onTestFinished(() => void (Date.now = real))
  const added = events.add(row(1))
  Date.now = () => real() - 86_400_000
  expect(await added).toEqual({ status: 'written' })
})
