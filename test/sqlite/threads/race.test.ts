import { openSqlite, type SqliteDatabase, type SqliteSession } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { nextTurn } from '../../support/event-loop.ts'
import { record, runs, seed } from '../../support/runs.ts'
import { column, run, value } from '../fixture.ts'
import { before, expectGone, modes, openThreads, random, upTo } from './fixture.ts'

const accounts = 20
const total = accounts * 1_000

/** What has become of the rows that one operation wrote, as its caller was told. */
type Fate = 'kept' | 'gone' | 'unknown'

const thrown = new Error('thrown by the caller')
const enough = new Error('enough')

/** 64 callers of one database, each of which does at random what can be done, until it is closed. */
class Race {
  /** For each operation that wrote: how many rows, and whether they must be there. */
  readonly fates = new Map<number, { readonly fate: Fate; readonly rows: number }>()
  readonly pending = new Map<number, string>()
  readonly done = new Map<string, number>()
  readonly #database: SqliteDatabase
  readonly #next: () => number
  #operations = 0

  constructor(database: SqliteDatabase, from: number) {
    this.#database = database
    this.#next = random(from)
  }

  /** Goes on until the database is closed. */
  async caller(): Promise<void> {
    while (this.#database.isOpen) {
      const operation = this.#pick([
        this.#write,
        this.#write,
        this.#returning,
        this.#transfer,
        this.#transferAtOnce,
        this.#transaction,
        this.#transaction,
        this.#session,
        this.#sum,
        this.#sumInTransaction,
        this.#stream,
        this.#leave,
        this.#writeByStream,
        this.#cancelledRead,
        this.#cancelledWrite,
        this.#cancelledTransaction,
        this.#mistake,
      ])
      const id = ++this.#operations
      this.pending.set(id, operation.name)
      try {
        await operation.call(this, id)
      } catch (error) {
        this.#allow(error)
      }
      this.pending.delete(id)
      this.done.set(operation.name, (this.done.get(operation.name) ?? 0) + 1)
      if (this.#next() < 0.2) await nextTurn()
    }
  }

  get operations(): number {
    return this.#operations
  }

  /** Errors that an operation may end with; any other is a failure of the test. */
  #allow(error: unknown): void {
    if (error === thrown || error === enough) return
    const { code } = error as { code?: string }
    if (code === 'DATABASE_CLOSED' || code === 'OUTCOME_UNKNOWN') return
    // What close() ended.
    if (code === 'TRANSACTION_ABORTED' && !this.#database.isOpen) return
    throw error
  }

  /** Notes what an operation must have left, once it is known. */
  async #settled(
    id: number,
    rows: number,
    writing: Promise<unknown>,
    onError: Fate,
  ): Promise<void> {
    // Until then it may be there or not: nobody was told.
    this.fates.set(id, { fate: 'unknown', rows })
    try {
      await writing
      this.fates.set(id, { fate: 'kept', rows })
    } catch (error) {
      const isUnknown = (error as { code?: string }).code === 'OUTCOME_UNKNOWN'
      this.fates.set(id, { fate: isUnknown ? 'unknown' : onError, rows })
      throw error
    }
  }

  async #write(id: number): Promise<void> {
    await this.#settled(
      id,
      1,
      this.#database.execute('insert into entry (op) values (?)', [id]),
      'gone',
    )
    // Who has been told that it is written reads it, on whatever connection.
    expect(await value(this.#database, 'select count(*) from entry where op = ?', [id])).toBe(1)
  }

  async #returning(id: number): Promise<void> {
    const writing = this.#database.execute('insert into entry (op) values (?), (?) returning op', [
      id,
      id,
    ])
    await this.#settled(id, 2, writing, 'gone')
    expect((await writing).rows).toEqual([{ op: id }, { op: id }])
  }

  async #transfer(id: number): Promise<void> {
    const [from, to, amount] = [this.#account(), this.#account(), this.#whole(50)]
    await this.#settled(
      id,
      1,
      this.#database.transaction(async (tx) => {
        const balance = Number(await value(tx, 'select balance from account where id = ?', [from]))
        await tx.execute('update account set balance = ? where id = ?', [balance - amount, from])
        await this.#pause()
        await tx.execute('update account set balance = balance + ? where id = ?', [amount, to])
        await tx.execute('insert into entry (op) values (?)', [id])
      }),
      'gone',
    )
  }

  async #transferAtOnce(): Promise<void> {
    const amount = this.#whole(50)
    await this.#database.execute(
      'update account set balance = balance + case id when 1 then ? else ? end where id in (1, ?)',
      [-amount, amount, 2 + this.#whole(accounts - 1)],
    )
  }

  async #transaction(id: number): Promise<void> {
    const end = this.#next()
    await this.#settled(
      id,
      3,
      this.#database.transaction(async (tx) => {
        await this.#entries(tx, id)
        await tx.execute('update account set balance = balance - 7 where id = 1')
        if (end < 0.2) throw thrown
        await tx.execute('update account set balance = balance + 7 where id = 2')
        expect(await value(tx, 'select count(*) from entry where op = ?', [id])).toBe(3)
        if (end < 0.4) await rejected(tx.execute('insert into account values (1, 0)'))
      }),
      'gone',
    )
  }

  async #session(id: number): Promise<void> {
    const session = this.#database.connect()
    const isKept = this.#next() < 0.5
    const program = async (): Promise<void> => {
      await session.begin()
      await this.#entries(session, id)
      await session.savepoint('s')
      await session.execute('insert into entry (op) values (?)', [-id])
      await session.rollbackToSavepoint('s')
      await session.releaseSavepoint('s')
      if (isKept) await session.commit()
      else if (this.#next() < 0.5) await session.rollback()
      // Else release() ends it.
    }
    try {
      if (isKept) await this.#settled(id, 3, program(), 'gone')
      else {
        this.fates.set(id, { fate: 'gone', rows: 3 })
        await program()
      }
    } finally {
      await session.release()
    }
  }

  async #entries(session: SqliteSession, id: number): Promise<void> {
    for (let entry = 0; entry < 3; entry++) {
      await session.execute('insert into entry (op) values (?)', [id])
      await this.#pause()
    }
  }

  async #sum(): Promise<void> {
    expect(await value(this.#database, 'select sum(balance) from account')).toBe(total)
  }

  async #sumInTransaction(): Promise<void> {
    await this.#database.transaction(
      async (tx) => {
        let sum = 0
        for (let id = 1; id <= accounts; id++) {
          sum += Number(await value(tx, 'select balance from account where id = ?', [id]))
          if (id % 5 === 0) await nextTurn()
        }
        expect(sum).toBe(total)
      },
      { accessMode: 'read only' },
    )
  }

  async #stream(): Promise<void> {
    let sum = 0
    for await (const chunk of this.#database.stream<{ balance: number }>(
      'select balance from account',
      [],
      { chunkRows: 1 + this.#whole(10) },
    )) {
      for (const { balance } of chunk) sum += balance
      await this.#pause()
    }
    expect(sum).toBe(total)
  }

  async #leave(): Promise<void> {
    const stream = this.#database.stream('select id from entry', [], { chunkRows: 2 })
    for (let chunks = this.#whole(3); chunks > 0; chunks--) await stream.next()
    await stream.return!()
  }

  async #writeByStream(id: number): Promise<void> {
    const program = async (): Promise<void> => {
      const stream = this.#database.stream(
        'insert into entry (op) values (?), (?), (?) returning op',
        [id, id, id],
        {
          chunkRows: 1,
        },
      )
      for await (const _ of stream) if (this.#next() < 0.3) break
    }
    await this.#settled(id, 3, program(), 'gone')
  }

  async #cancelledRead(): Promise<void> {
    const controller = new AbortController()
    const options = { signal: controller.signal }
    const reading =
      this.#next() < 0.5
        ? this.#database.execute('select sum(balance) from account', [], options)
        : this.#database.stream('select id from entry', [], { ...options, chunkRows: 2 }).next()
    this.#abortSoon(controller)
    await reading
  }

  async #cancelledWrite(id: number): Promise<void> {
    const controller = new AbortController()
    const writing = this.#database.execute('insert into entry (op) values (?), (?)', [id, id], {
      signal: controller.signal,
    })
    this.#abortSoon(controller)
    // It may have been on its way already.
    await this.#settled(id, 2, writing, 'unknown')
  }

  async #cancelledTransaction(id: number): Promise<void> {
    const controller = new AbortController()
    const writing = this.#database.transaction(
      async (tx) => {
        await this.#entries(tx, id)
        controller.signal.throwIfAborted()
      },
      { signal: controller.signal },
    )
    this.#abortSoon(controller)
    await this.#settled(id, 3, writing, 'gone')
  }

  async #mistake(id: number): Promise<void> {
    const error = await rejected(
      this.#database.execute('insert into entry (op, unique_id) values (?, 1), (?, 1)', [id, id]),
    )
    this.fates.set(id, { fate: 'gone', rows: 2 })
    if ((error as { code: string }).code === 'SQLITE_CONSTRAINT_UNIQUE') return
    throw error
  }

  #abortSoon(controller: AbortController): void {
    const when = this.#next()
    if (when < 0.3) controller.abort(enough)
    else if (when < 0.6) void nextTurn().then(() => controller.abort(enough))
    else setTimeout(() => controller.abort(enough), when * 5)
  }

  async #pause(): Promise<void> {
    if (this.#next() < 0.3) await nextTurn()
  }

  #account(): number {
    return 1 + this.#whole(accounts)
  }

  #whole(below: number): number {
    return Math.floor(this.#next() * below)
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#whole(choices.length)]!
  }
}

/** The error of something that must fail. */
async function rejected(failing: Promise<unknown>): Promise<unknown> {
  let result: unknown
  try {
    result = await failing
  } catch (error) {
    return error
  }
  throw new Error(`It was expected to fail, and came to ${JSON.stringify(result)}.`)
}

const rounds = runs(6, 200)

describe.for(modes)('64 callers who do everything at once: %s', (mode) => {
  test(
    'lose nothing, see no half of anything, and leave nothing open when it is closed',
    { timeout: 60_000 + rounds * 10_000 },
    async () => {
      const start = performance.now()
      const next = random(seed)
      let operations = 0
      const done = new Map<string, number>()
      for (let round = 0; round < rounds; round++) {
        const earlier = before()
        const database = openThreads({
          mode,
          readers: 1 + Math.floor(next() * 3),
          busyTimeoutMs: 60_000,
          synchronous: next() < 0.5 ? 'normal' : 'full',
        })
        await run(
          database,
          'create table account (id integer primary key, balance integer not null)',
          'create table entry (id integer primary key, op integer not null, unique_id integer unique)',
          'create index entry_op on entry (op)',
        )
        for (const id of upTo(accounts))
          await database.execute('insert into account values (?, 1000)', [id])

        const race = new Race(database, Math.floor(next() * 2 ** 31))
        const callers = Promise.allSettled(upTo(64).map(() => race.caller()))
        const until = Math.floor(next() * 1_500)
        while (race.operations < until) await nextTurn()
        const deadlineMs = [0, 20, 60_000][Math.floor(next() * 3)]!
        await database.close({ deadlineMs })

        await settledInTime(callers, race)
        for (const result of await callers) if (result.status === 'rejected') throw result.reason
        await expectGone(database, earlier)
        await expectFates(database.path, race)
        operations += race.operations
        for (const [name, count] of race.done) done.set(name, (done.get(name) ?? 0) + count)
      }
      // Each of the operations has had its turn.
      expect(done.size).toBe(15)
      record('sqlite-threads-race', {
        [mode]: {
          rounds,
          operations,
          lost: 0,
          halfTransactions: 0,
          durationMs: Math.round(performance.now() - start),
        },
      })
    },
  )
})

/** Names the operations that never come to an end. */
async function settledInTime(callers: Promise<unknown>, { pending }: Race): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(
      () =>
        resolve(`never ended: ${Array.from(pending, ([id, name]) => `${name} ${id}`).join(', ')}`),
      30_000,
    )
  })
  expect(await Promise.race([callers.then(() => 'all ended'), late])).toBe('all ended')
  clearTimeout(timer)
}

/** What the callers were told, compared with what is in the file. */
async function expectFates(path: string, { fates }: Race): Promise<void> {
  const database = openSqlite(path)
  try {
    expect(await database.maintenance.integrityCheck()).toEqual({ ok: true, problems: [] })
    expect(await value(database, 'select sum(balance) from account')).toBe(total)
    const found = new Map<unknown, unknown>()
    const { rows } = await database.execute<[number, number]>(
      'select op, count(*) from entry group by op',
      [],
      { rows: 'arrays' },
    )
    for (const [op, count] of rows) found.set(op, count)
    for (const [op, { fate, rows: written }] of fates) {
      const count = found.get(op) ?? 0
      if (fate === 'kept') expect(count, `the rows of ${op}`).toBe(written)
      else if (fate === 'gone') expect(count, `the rows of ${op}`).toBe(0)
      else expect([0, written], `the rows of ${op}`).toContain(count)
      found.delete(op)
    }
    expect([...found.keys()], 'rows that nobody wrote').toEqual([])
    expect(await column(database, 'select 1 from account where id > ?', [accounts])).toEqual([])
  } finally {
    await database.close()
  }
}
