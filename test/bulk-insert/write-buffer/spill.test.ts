import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import {
  BufferStoppedError,
  createWriteBuffer,
  RowError,
  SpillError,
} from '@keelson/bulk-insert/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import fc from 'fast-check'
import { Kysely, sql } from 'kysely'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startProgram } from '../../support/program.ts'
import { rejection } from '../../support/rejection.ts'
import { runs, seed } from '../../support/runs.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { busy, expectBalance, open, row, rows, setups, withFaults } from './fixture.ts'

const quickly = { minDelayMs: 1, maxDelayMs: 5 }
const never = withFaults((step) => (step === 'begin' ? busy() : undefined))

function spillAt(path: string, fsync?: 'each' | { intervalMs: number }) {
  return { idempotencyKey: 'id', spill: { path, ...(fsync && { fsync }) }, retry: quickly } as const
}

function segments(path: string): string[] {
  return readdirSync(path).filter((name) => name.endsWith('.segment'))
}

/** A spill with rows 1 to `count` that were never written. */
async function left(count: number, directory = temporaryDirectory()): Promise<string> {
  const path = join(directory, 'spill')
  const { buffer } = await open({ engine: 'sqlite', decorate: never })
  const events = buffer(spillAt(path))
  // Each has a write of its own, as rows that come one by one.
  for (const each of rows(1, count)) expect(await events.add(each)).toEqual({ status: 'spilled' })
  expect(await events.close({ deadlineMs: 0 })).toMatchObject({
    accepted: count,
    spilled: count,
    pending: 0,
    rejected: 0,
  })
  return path
}

describe.for(setups)('$engine, wrapped: $isWrapped', (setup) => {
  test('B15: rows are acknowledged once they are on disk, and written in their order', async () => {
    const { buffer, ids } = await open(setup)
    const path = join(temporaryDirectory(), 'spill')
    const events = buffer({ ...spillAt(path), lingerMs: 60_000 })
    const all = rows(1, 50).map((each) => events.add(each))
    expect(events.stats).toMatchObject({ accepted: 50, pending: 50, spilled: 0 })
    expect(new Set(await Promise.all(all))).toEqual(new Set([{ status: 'spilled' }]))
    expect(events.stats).toMatchObject({ accepted: 50, pending: 0, spilled: 50, written: 0 })
    await events.flush()
    expect(events.stats).toMatchObject({ accepted: 50, spilled: 0, written: 50 })
    expectBalance(events.stats)
    expect(await ids()).toEqual(rows(1, 50).map(({ id }) => id))
    await events.close()
    // What is all written leaves nothing behind.
    expect(readdirSync(path)).toEqual([])
  })

  test('B15: what an earlier buffer has left is written before what is new', async () => {
    const path = await left(5)
    const { buffer, ids } = await open(setup)
    const events = buffer(spillAt(path))
    expect(events.stats).toMatchObject({ accepted: 5, replayed: 5, spilled: 5 })
    await events.addMany(rows(6, 9))
    await events.flush()
    expect(await ids()).toEqual(rows(1, 9).map(({ id }) => id))
    expect(await events.close()).toMatchObject({ accepted: 9, written: 9, replayed: 5, spilled: 0 })
    expect(readdirSync(path)).toEqual([])
  })

  test('B17: a row that was written before the spill knew of it is there once', async () => {
    const path = await left(5)
    const { db, buffer, ids } = await open(setup)
    await db.insertInto('event').values(rows(1, 3)).execute()
    const events = buffer(spillAt(path))
    await events.flush()
    expect(events.stats).toMatchObject({ written: 5, inserted: 2, skipped: 3 })
    expect(await ids()).toEqual([1, 2, 3, 4, 5])
  })

  test('B15: poison rows are kept in a file of their own, with their errors', async () => {
    const path = join(temporaryDirectory(), 'spill')
    const { buffer, ids } = await open(setup)
    const onRejected = vi.fn()
    const events = buffer({ ...spillAt(path), onRejected })
    await events.addMany([row(1), row(2, 'refused'), row(3)])
    expect(await events.close()).toMatchObject({ accepted: 3, written: 2, rejected: 1, spilled: 0 })
    expect(await ids()).toEqual([1, 3])
    expect(onRejected.mock.calls.map(([{ row }]) => row.id)).toEqual([2])
    expect(readdirSync(path)).toEqual(['dead-letters.jsonl'])
    const dead = JSON.parse(readFileSync(join(path, 'dead-letters.jsonl'), 'utf8'))
    expect(dead).toMatchObject({ sequence: 2, row: row(2, 'refused') })
    expect(dead.error.message).toMatch(/check/i)
  })
})

test('B15: a row is synced before it is acknowledged, and rows that are added at once share an fsync', async () => {
  const probe = await openFile(join(temporaryDirectory(), 'probe'), 'w')
  await probe.close()
  const datasync = vi.spyOn(Object.getPrototypeOf(probe) as typeof probe, 'datasync')
  onTestFinished(() => datasync.mockRestore())
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ ...spillAt(join(temporaryDirectory(), 'spill')), lingerMs: 60_000 })
  for (const each of rows(1, 3)) {
    await events.add(each)
    expect(datasync).toHaveBeenCalledTimes(each.id)
  }
  await Promise.all(rows(4, 103).map((each) => events.add(each)))
  expect(datasync).toHaveBeenCalledTimes(4)
})

test('B15: with an interval rows are acknowledged once they are written to the file', async () => {
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const path = join(temporaryDirectory(), 'spill')
  const events = buffer(spillAt(path, { intervalMs: 5 }))
  await events.addMany(rows(1, 10))
  await events.close()
  expect(await ids()).toHaveLength(10)
})

test('B15: what was written is not sent again after a crash, once the spill has been told', async () => {
  const path = join(temporaryDirectory(), 'spill')
  const { db, buffer } = await open({ engine: 'sqlite' })
  const events = buffer({ ...spillAt(path), lingerMs: 0 })
  await events.addMany(rows(1, 10))
  await events.flush()
  // Its consumer has dealt with the rows and deleted them. A crash now must not bring them back.
  await db.deleteFrom('event').execute()
  await vi.waitFor(() => expect(readFileSync(join(path, segments(path)[0]!)).at(-1)).toBe(67))
  const copy = join(temporaryDirectory(), 'crashed')
  mkdirSync(copy)
  for (const name of segments(path)) copyFileSync(join(path, name), join(copy, name))
  const after = buffer(spillAt(copy))
  expect(after.stats).toMatchObject({ replayed: 0 })
  await after.add(row(11))
  await after.flush()
  expect(after.stats).toMatchObject({ written: 1 })
})

test('B15: a torn tail is cut off wherever it is torn, and what is whole before it is kept', async () => {
  const count = runs(3, 12)
  const path = await left(count)
  const [name] = segments(path)
  const whole = readFileSync(join(path, name!))
  const ends: number[] = []
  for (let at = 16; at < whole.length; at += 16 + whole.readUInt32LE(at))
    ends.push(at + 16 + whole.readUInt32LE(at))
  const offsets = Array.from({ length: whole.length + 1 }, (_, at) => at)
  const torn = join(temporaryDirectory(), 'torn')
  const dialect = new SqliteDialect({ path: ':memory:' })
  const db = new Kysely<{ event: { id: number; body: string | null } }>({ dialect })
  onTestFinished(() => db.destroy())
  await sql`create table event (id integer primary key, body text)`.execute(db)
  for (const at of offsets) {
    mkdirSync(torn, { recursive: true })
    for (const old of segments(torn)) truncateSync(join(torn, old), 0)
    writeFileSync(join(torn, name!), whole.subarray(0, at))
    // Every second one has garbage after it, as a file system leaves it that has only reserved the space.
    if (at % 2 === 1) appendFileSync(join(torn, name!), Buffer.alloc(at % 40))
    const events = createWriteBuffer(db, 'event', { ...spillAt(torn), lingerMs: 60_000 })
    const kept = ends.filter((end) => end <= at).length
    expect([at, events.stats.replayed]).toEqual([at, kept])
    if (kept > 0) expect(statSync(join(torn, name!)).size).toBe(ends[kept - 1])
    if (at % 16 === 0) {
      // And it can be written to.
      await events.add(row(100))
      await events.close()
      const { rows: written } = await sql<{ id: number }>`select id from event order by id`.execute(
        db,
      )
      expect(written.map(({ id }) => id)).toEqual([...rows(1, kept).map(({ id }) => id), 100])
      await sql`delete from event`.execute(db)
    } else await events.close()
    await sql`delete from event`.execute(db)
  }
})

test('a file that is damaged in the middle is refused, and left as it is', async () => {
  const path = await left(5)
  const [name] = segments(path)
  const file = join(path, name!)
  const bytes = readFileSync(file)
  bytes[60]! ^= 1
  writeFileSync(file, bytes)
  const { db } = await open({ engine: 'sqlite' })
  const error = await rejection(() => createWriteBuffer(db, 'event', spillAt(path)))
  expect(error).toBeInstanceOf(SpillError)
  expect(error).toMatchObject({
    code: 'SPILL_CORRUPT',
    message: expect.stringMatching(/is damaged from byte \d+ of \d+ on, .* Nothing was changed\./),
  })
  expect(readFileSync(file).equals(bytes)).toBe(true)
  expect(readdirSync(path)).toEqual([name])
})

test('a row that cannot be brought to disk is rejected, and what was acknowledged before is kept', async () => {
  const path = join(temporaryDirectory(), 'spill')
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer(spillAt(path))
  renameSync(path, `${path}-away`)
  const error = await rejection(events.add(row(1)))
  expect(error).toBeInstanceOf(SpillError)
  expect(error).toMatchObject({
    code: 'SPILL_FAILED',
    message: expect.stringMatching(/^The spill ".*" cannot write a row: ENOENT/),
    cause: { code: 'ENOENT' },
  })
  expect(events.stats).toMatchObject({ accepted: 1, rejected: 1, lost: 1, pending: 0 })
  renameSync(`${path}-away`, path)
  expect(await events.add(row(2))).toEqual({ status: 'spilled' })
  await events.flush()
  expect(await ids()).toEqual([2])
  expectBalance(events.stats)
})

test('rows beside one that cannot be kept as a dead letter are written once', async () => {
  const path = join(temporaryDirectory(), 'spill')
  const { buffer, ids } = await open({ engine: 'sqlite' })
  const events = buffer({ ...spillAt(path), lingerMs: 60_000 })
  const letters = join(path, 'dead-letters.jsonl')
  mkdirSync(letters)
  await events.addMany([row(1), row(2, null), row(3)])
  expect(await rejection(events.flush())).toBeInstanceOf(BufferStoppedError)
  expectBalance(events.stats)
  rmdirSync(letters)
  await events.flush()
  expectBalance(events.stats)
  expect(events.stats).toMatchObject({ accepted: 3, written: 2, rejected: 1, spilled: 0 })
  expect(await ids()).toEqual([1, 3])
  await events.close()
  expect(segments(path)).toEqual([])
})

test('a spill that is no directory of segments is refused, and its lock given back', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const path = temporaryDirectory()
  mkdirSync(join(path, '0000000001.segment'))
  const error = await rejection(() => buffer(spillAt(path)))
  expect(error['code']).toBe('EISDIR')
  expect(existsSync(join(path, 'lock'))).toBe(false)
})

test('flush() of a closed buffer that has left rows in its spill says so', async () => {
  const { buffer } = await open({ engine: 'sqlite', decorate: never })
  const events = buffer(spillAt(join(temporaryDirectory(), 'spill')))
  await events.add(row(1))
  await events.close({ deadlineMs: 0 })
  expect(await rejection(events.flush())).toMatchObject({
    code: 'BUFFER_CLOSED',
    message: expect.stringMatching(
      /^The buffer of "event" is closed, and flush\(\) cannot write the 1 rows that it has left in its spill\./,
    ),
  })
})

describe('B20: the lock', () => {
  test('keeps a second buffer of the same process off the spill', async () => {
    const path = join(temporaryDirectory(), 'spill')
    const { buffer } = await open({ engine: 'sqlite' })
    const events = buffer(spillAt(path))
    const error = await rejection(() => buffer(spillAt(path)))
    expect(error).toBeInstanceOf(SpillError)
    expect(error).toMatchObject({
      code: 'SPILL_LOCKED',
      message: `createWriteBuffer() cannot open the spill ${JSON.stringify(path)}: another buffer of this process has it. Two buffers need two spills.`,
    })
    await events.close()
    await buffer(spillAt(path)).close()
  })

  test('keeps a second process off it, and is taken over when the first one was killed', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'spill')
    const program = startProgram(
      new URL('../programs/spilling.ts', import.meta.url),
      join(directory, 'test.db'),
      path,
      '1',
    )
    expect(await program.line()).toBe('ready')
    const { buffer } = await open({ engine: 'sqlite' })
    expect((await rejection(() => buffer(spillAt(path)))).message).toMatch(/: process \d+ has it\./)
    await program.kill()
    await buffer(spillAt(path)).close()
  })

  test('of another machine is left alone, and of one that has been started again is not', async () => {
    const path = join(temporaryDirectory(), 'spill')
    mkdirSync(path)
    const { buffer } = await open({ engine: 'sqlite' })
    const write = (owner: object): void => writeFileSync(join(path, 'lock'), JSON.stringify(owner))
    write({ host: 'elsewhere', pid: 1, boot: '', started: '' })
    expect((await rejection(() => buffer(spillAt(path)))).message).toMatch(
      /the lock is of process 1 on "elsewhere", which cannot be seen from ".*"\. If that is gone, delete /,
    )
    write({ host: hostname(), pid: process.pid, boot: 'an earlier one', started: '' })
    await buffer(spillAt(path)).close()
    // The same pid, given again.
    write({ host: hostname(), pid: process.pid, boot: bootId(), started: '1' })
    await buffer(spillAt(path)).close()
  })
})

function bootId(): string {
  const file = '/proc/sys/kernel/random/boot_id'
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

/** What SQLite takes, and what has to come back from JSON as it was. */
const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('{"$bigint":"1"}', '"$', '\u2028', ''),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.uint8Array({ maxLength: 20 }),
  fc.constant(null),
)

test('values come back from the spill as they were', { timeout: 60_000 }, async () => {
  const db = new Kysely<{ event: { id: number; body: unknown } }>({
    dialect: new SqliteDialect({ path: ':memory:', int64: 'bigint' }),
  })
  onTestFinished(() => db.destroy())
  await sql`create table event (id integer primary key, body any, twin any) strict`.execute(db)
  const path = join(temporaryDirectory(), 'spill')
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 10 }), async (values) => {
      await sql`delete from event`.execute(db)
      const blocked = createWriteBuffer(db, 'event', { ...spillAt(path), lingerMs: 60_000 })
      await blocked.addMany(values.map((body, id) => ({ id, body })))
      await blocked.close({ deadlineMs: 0 })
      // What close() did not write the next one does.
      await createWriteBuffer(db, 'event', spillAt(path)).close()
      const { rows: read } = await sql<{
        body: unknown
      }>`select body from event order by id`.execute(db)
      for (const [at, { body }] of read.entries()) {
        const given = values[at]
        const expected =
          given instanceof Uint8Array ? Buffer.from(given) : Object.is(given, -0) ? 0 : given
        expect(body).toEqual(expected)
      }
      expect(read).toHaveLength(values.length)
    }),
    { seed, numRuns: runs(20, 500) },
  )
})

test('a value that could not be read back as it was is refused when the row is added', async () => {
  const { buffer } = await open({ engine: 'sqlite' })
  const events = buffer(spillAt(join(temporaryDirectory(), 'spill')))
  for (const wrong of [() => 1, Symbol('a'), new Map(), new URL('a:b'), sql`1`]) {
    const error = await rejection(events.add({ id: 1, body: wrong as never }))
    expect(error).toBeInstanceOf(RowError)
    expect(error).toMatchObject({
      code: 'VALUE',
      column: 'body',
      message: expect.stringMatching(
        /^The row has .* for "body", which cannot be kept in a spill: /,
      ),
    })
  }
})
