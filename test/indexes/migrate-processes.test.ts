import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Program, startProgram } from '../support/program.ts'
import { runs, seed } from '../support/runs.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { count, drizzleFolder, has, history, type Kind, kinds, type Target } from './migrating.ts'
import { statementsOf, stepCount } from './programs/steps.ts'

/** What several processes can have open at once; a process takes a second to start, so that the soak has the others. */
const shared = kinds.filter(
  ({ name }) =>
    name.endsWith("Kysely, Keelson's SQLite") ||
    (runs(0, 1) === 1 && !/DuckDB|Drizzle, Keelson's SQLite on threads/.test(name)),
)

/** A statement that takes some milliseconds. */
const slow: Readonly<Record<string, string>> = {
  sqlite:
    'insert into slow with recursive n (i) as (select 1 union all select i + 1 from n where i < 40000) select count(*) from n',
  postgresql: 'insert into slow select 1 from pg_sleep(0.01)',
}

function folderFor({ engine }: Kind, isLoose: boolean): string {
  const migrations = Array.from({ length: stepCount }, (_, index) => ({
    name: `000${index}_step`,
    up: statementsOf(index).flatMap((statement) => [statement, slow[engine]!]),
    ...(isLoose && { transaction: false as const }),
  }))
  return drizzleFolder(migrations, engine, temporaryDirectory())
}

function start(
  kind: Kind,
  target: Target,
  folder: string,
  mode: 'transactional' | 'loose',
): Program {
  const program = new URL('programs/migrating-process.ts', import.meta.url)
  return startProgram(program, kind.name, target.place, folder, mode)
}

async function prepared(kind: Kind): Promise<Target> {
  const target = await kind.open()
  await target.exec('create table balance (amount integer)')
  await target.exec('insert into balance values (0)')
  await target.exec('create table slow (n integer)')
  return target
}

async function balance(target: Target): Promise<number> {
  const [row] = await target.rows('select amount from balance')
  return Number(row!['amount'])
}

/** How many of the steps are there as a whole; fails for one that is there in part. */
async function wholeSteps(target: Target): Promise<number> {
  let whole = 0
  for (let index = 0; index < stepCount; index++) {
    if (!(await has(target, `t${index}`))) continue
    expect(await count(target, `t${index}`)).toBe(2)
    whole++
  }
  return whole
}

describe.for(shared)('$name', (kind) => {
  test('of two processes that migrate at once each migration is applied by one', async () => {
    const target = await prepared(kind)
    const folder = folderFor(kind, false)
    const programs = [1, 2].map(() => start(kind, target, folder, 'transactional'))
    for (const program of programs) expect(await program.line()).toBe('ready')
    for (const program of programs) program.say('go')
    const outcomes = await Promise.all(programs.map(async (it) => JSON.parse((await it.line())!)))
    expect(outcomes.map(({ message }) => message)).toEqual([undefined, undefined])
    const applied = outcomes.flatMap((outcome) =>
      outcome.applied.map(({ name }: { name: string }) => name),
    )
    expect(applied.toSorted((one: string, other: string) => one.localeCompare(other))).toEqual(
      Array.from({ length: stepCount }, (_, index) => `000${index}_step`),
    )
    expect([await balance(target), await history(kind, target)]).toEqual([
      100 * stepCount,
      stepCount,
    ])
  })

  test('a process that is killed leaves nothing half done, and the next one goes on', async () => {
    const random = randomFrom(seed)
    for (let round = 0; round < runs(1, 20); round++) {
      const target = await prepared(kind)
      const folder = folderFor(kind, false)
      for (let kill = 0; kill < runs(1, 5); kill++) {
        const program = start(kind, target, folder, 'transactional')
        await program.line()
        program.say('go')
        await sleep(random() * 250)
        await program.kill()
        await settled(kind, target)
        const whole = await wholeSteps(target)
        expect(await balance(target)).toBe(100 * whole)
        if (whole > 0) expect(await history(kind, target)).toBe(whole)
      }
      const last = start(kind, target, folder, 'transactional')
      await last.line()
      last.say('go')
      expect(JSON.parse((await last.line())!).message).toBeUndefined()
      expect([await wholeSteps(target), await balance(target)]).toEqual([
        stepCount,
        100 * stepCount,
      ])
    }
  })

  test('one that is killed without a transaction is found to be dirty by the next', async () => {
    const target = await prepared(kind)
    const folder = folderFor(kind, true)
    const program = start(kind, target, folder, 'loose')
    await program.line()
    program.say('go')
    // The table is there before the mark is lifted.
    while (!(await has(target, 't1'))) await sleep(1)
    await program.kill()
    await settled(kind, target)
    const next = start(kind, target, folder, 'loose')
    await next.line()
    next.say('go')
    const error = JSON.parse((await next.line())!)
    const dirty = await target.rows('select name from ' + notes(kind) + " where state <> 'applied'")
    // It may have come to the end of that one, and be in another.
    if (dirty.length === 0) {
      expect(error.message).toBeUndefined()
      return
    }
    expect(error.code).toBe('MIGRATION_DIRTY')
    expect(error.message).toContain(
      `Migration "${dirty[0]!['name']}" was being applied without a transaction by process `,
    )
  })
})

test('a migration without a transaction that is still running is waited for, by another process', async () => {
  const kind = kinds.find(({ name }) => name === "Kysely, Kysely's SQLite")!
  const target = await prepared(kind)
  const programs = [1, 2].map(() => start(kind, target, '', 'loose'))
  for (const program of programs) await program.line()
  for (const program of programs) program.say('go')
  const outcomes = await Promise.all(programs.map(async (it) => JSON.parse((await it.line())!)))
  expect(outcomes.map(({ message }) => message)).toEqual([undefined, undefined])
  expect(await balance(target)).toBe(100 * stepCount)
})

function notes({ engine, orm }: Kind): string {
  return engine === 'postgresql' && orm === 'drizzle'
    ? 'drizzle.keelson_migration'
    : 'keelson_migration'
}

/** PostgreSQL hears of a killed client when it next writes to it: until then its transaction is open. */
async function settled({ engine }: Kind, target: Target): Promise<void> {
  if (engine !== 'postgresql') return
  const others =
    'select count(*) as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() ' +
    "and (state <> 'idle' or xact_start is not null)"
  while (Number((await target.rows(others))[0]!['n']) > 0) await sleep(5)
}

function randomFrom(start: number): () => number {
  let state = start >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
