import { setTimeout as sleep } from 'node:timers/promises'
import type { DuckDBDatabase, DuckDBSession } from '@keelson/duckdb'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { column, open, run } from './fixture.ts'

/**
 * Random programs of calls on sessions, of which several run at once on a pool that is too small for them. What each
 * call answers, and which rows there are at the end, must be what follows from the calls.
 */
type Command =
  | 'begin'
  | 'insert'
  | 'insertReturning'
  | 'read'
  | 'fail'
  | 'failParsing'
  | 'failReading'
  | 'refused'
  | 'streamAll'
  | 'streamSome'
  | 'streamInsert'
  | 'streamFail'
  | 'commitStreaming'
  | 'abortEarly'
  | 'abortLate'
  | 'cancel'
  | 'both'
  | 'commit'
  | 'rollback'
  | 'release'
  | 'pause'

class Model {
  readonly session: DuckDBSession
  readonly kept: number[] = []
  pending: number[] = []
  state: 'none' | 'open' | 'failed' | 'released' = 'none'

  constructor(session: DuckDBSession) {
    this.session = session
  }

  /** What a statement is answered that DuckDB would carry out. */
  get refusal(): string | undefined {
    if (this.state === 'released') return 'TRANSACTION_CLOSED'
    return this.state === 'failed' ? 'TRANSACTION_ABORTED' : undefined
  }

  wrote(...numbers: readonly number[]): void {
    if (this.state === 'open') this.pending.push(...numbers)
    else this.kept.push(...numbers)
  }

  failed(): void {
    if (this.state === 'open') this.state = 'failed'
  }

  ended(isKept: boolean): void {
    if (isKept) this.kept.push(...this.pending)
    this.pending = []
    this.state = 'none'
  }
}

const ascending = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)

let last = 0

/** `'done'`, or the code or message of the error. */
async function answer(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return code ?? message
  }
}

const midway =
  "select case when range = 400000 then error('x') else range end as a from range(500000)"

/** Takes a minute. */
const heavy = 'select sum(hash(x.range + y.range)) from range(60000) x, range(60000) y'

async function readSome(session: DuckDBSession, sql: string, chunks: number): Promise<void> {
  let read = 0
  for await (const _ of session.stream(sql, [], { chunkRows: 500 })) if (++read === chunks) break
}

const steps: Readonly<Record<Command, (model: Model) => Promise<void>>> = {
  async begin(model) {
    const { state } = model
    const expected = {
      none: 'done',
      open: 'TRANSACTION_OPEN',
      failed: 'TRANSACTION_OPEN',
      released: 'TRANSACTION_CLOSED',
    }
    expect(await answer(model.session.begin())).toBe(expected[state])
    if (state === 'none') model.state = 'open'
  },
  async insert(model) {
    const number = ++last
    const call = model.session.execute('insert into log values ($1)', [number])
    expect(await answer(call)).toBe(model.refusal ?? 'done')
    if (model.refusal === undefined) model.wrote(number)
  },
  async insertReturning(model) {
    const number = ++last
    const call = model.session.execute(`insert into log values (${number}) returning n`)
    expect(await answer(call)).toBe(model.refusal ?? 'done')
    if (model.refusal === undefined) model.wrote(number)
  },
  async read(model) {
    if (model.refusal !== undefined || model.state === 'none') return
    const pending = ascending(model.pending)
    const first = pending[0] ?? 0
    const seen = await column(model.session, `select n from log where n >= ${first} order by n`)
    expect(seen).toEqual(expect.arrayContaining(pending))
  },
  async fail(model) {
    const call = model.session.execute("select 'x'::integer")
    expect(await answer(call)).toMatch(model.refusal ?? /^Conversion Error/)
    model.failed()
  },
  async failParsing(model) {
    expect(await answer(model.session.execute('selec 1'))).toMatch(model.refusal ?? /^Parser Error/)
    model.failed()
  },
  async failReading(model) {
    const call = model.session.execute('select 9007199254740993 as a')
    expect(await answer(call)).toBe(model.refusal ?? 'INT64_RANGE')
    model.failed()
  },
  async refused(model) {
    const call = model.session.execute('select $1::integer', [])
    expect(await answer(call)).toBe(model.refusal ?? 'PARAMETER_COUNT')
    const savepoint = model.session.execute('savepoint a')
    expect(await answer(savepoint)).toBe(model.refusal ?? 'SAVEPOINTS_NOT_SUPPORTED')
  },
  async streamAll(model) {
    const call = readSome(model.session, 'select range as a from range(3000)', Infinity)
    expect(await answer(call)).toBe(model.refusal ?? 'done')
  },
  async streamSome(model) {
    const call = readSome(model.session, 'select range as a from range(100000)', 2)
    expect(await answer(call)).toBe(model.refusal ?? 'done')
  },
  async streamInsert(model) {
    const numbers = [++last, ++last]
    const sql = `insert into log values (${numbers[0]}), (${numbers[1]}) returning n`
    expect(await answer(readSome(model.session, sql, 1))).toBe(model.refusal ?? 'done')
    if (model.refusal === undefined) model.wrote(...numbers)
  },
  async streamFail(model) {
    const call = readSome(model.session, midway, Infinity)
    expect(await answer(call)).toBe(model.refusal ?? 'STREAM_CUT_SHORT')
    model.failed()
  },
  async commitStreaming(model) {
    if (model.state !== 'open') return
    const stream = model.session.stream('select range as a from range(100000)')
    await stream.next()
    expect(await answer(model.session.commit())).toBe('done')
    expect(await answer(stream.next())).toBe('TRANSACTION_CLOSED')
    model.ended(true)
  },
  async abortEarly(model) {
    const controller = new AbortController()
    const call = answer(model.session.execute('select 1', [], { signal: controller.signal }))
    controller.abort(new Error('enough'))
    expect(await call).toMatch(model.refusal ?? /^enough$/)
    await settle(model)
  },
  async abortLate(model) {
    const controller = new AbortController()
    const call = answer(model.session.execute(heavy, [], { signal: controller.signal }))
    await sleep(2)
    controller.abort(new Error('enough'))
    expect(await call).toMatch(model.refusal ?? /^enough$/)
    await settle(model)
  },
  async cancel(model) {
    const call = answer(model.session.execute(heavy))
    await sleep(1)
    model.session.cancel(new Error('enough'))
    expect(await call).toMatch(model.refusal ?? /^enough$/)
    await settle(model)
  },
  /** The end of the transaction is asked for before its last statement has been answered. */
  async both(model) {
    if (model.state !== 'open') return
    const number = ++last
    const calls = [
      answer(model.session.execute('insert into log values ($1)', [number])),
      answer(model.session.commit()),
      answer(model.session.execute('insert into log values ($1)', [++last])),
    ]
    expect(await Promise.all(calls)).toEqual(['done', 'done', 'TRANSACTION_CLOSED'])
    model.wrote(number)
    model.ended(true)
  },
  async commit(model) {
    const { state } = model
    const expected = {
      none: 'NO_TRANSACTION',
      open: 'done',
      failed: 'TRANSACTION_ABORTED',
      released: 'NO_TRANSACTION',
    }
    expect(await answer(model.session.commit())).toBe(expected[state])
    if (state === 'open' || state === 'failed') model.ended(state === 'open')
  },
  async rollback(model) {
    expect(await answer(model.session.rollback())).toBe('done')
    if (model.state !== 'released') model.ended(false)
  },
  async release(model) {
    await model.session.release()
    model.ended(false)
    model.state = 'released'
  },
  pause: () => sleep(1),
}

/** An abort that came before DuckDB had begun has not failed the transaction; the next statement tells. */
async function settle(model: Model): Promise<void> {
  if (model.state !== 'open') return
  const told = await answer(model.session.execute('select 1'))
  if (told === 'TRANSACTION_ABORTED') model.failed()
  else expect(told).toBe('done')
}

const weights: Readonly<Record<Command, number>> = {
  begin: 6,
  insert: 6,
  insertReturning: 2,
  read: 2,
  fail: 1,
  failParsing: 1,
  failReading: 1,
  refused: 2,
  streamAll: 2,
  streamSome: 3,
  streamInsert: 1,
  streamFail: 1,
  commitStreaming: 1,
  abortEarly: 1,
  abortLate: 1,
  cancel: 1,
  both: 1,
  commit: 5,
  rollback: 2,
  release: 1,
  pause: 1,
}

const command = fc.oneof(
  ...(Object.keys(weights) as Command[]).map((each) => ({
    weight: weights[each],
    arbitrary: fc.constant(each),
  })),
)

const program = fc.record({
  isReserved: fc.boolean(),
  commands: fc.array(command, { minLength: 1, maxLength: 14 }),
})

async function play(
  database: DuckDBDatabase,
  { isReserved, commands }: { isReserved: boolean; commands: readonly Command[] },
): Promise<number[]> {
  const model = new Model(isReserved ? await database.reserve() : database.connect())
  for (const each of commands) await steps[each](model)
  await model.session.release()
  return model.kept
}

test(
  'random programs of sessions answer and keep what follows from their calls',
  { timeout: 3_600_000 },
  async () => {
    const database = await open({ path: ':memory:', pool: { max: 3 } })
    await run(database, 'create table log (n integer)')
    const start = performance.now()
    let calls = 0
    await fc.assert(
      fc.asyncProperty(fc.array(program, { minLength: 1, maxLength: 5 }), async (programs) => {
        const kept = await Promise.race([
          Promise.all(programs.map((each) => play(database, each))),
          sleep(30_000, undefined, { ref: false }).then(() =>
            Promise.reject(new Error('It hangs.')),
          ),
        ])
        for (const { commands } of programs) calls += commands.length
        expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
        const rows = await column(database, 'delete from log returning n')
        expect(ascending(rows as number[])).toEqual(ascending(kept.flat()))
      }),
      { seed, numRuns: runs(200, 20_000), endOnFailure: true },
    )
    expect(database.poolStats.closedBroken).toBe(0)
    expect((await database.close()).forced).toEqual([])
    record('duckdb-transactions-model', {
      calls,
      durationMs: Math.round(performance.now() - start),
    })
  },
)
