import type { DuckDBDatabase } from '@keelson/duckdb'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { record, runs, seed } from '../support/runs.ts'
import { column, open, run } from './fixture.ts'

/** Random statements on one table, whose counts must be those that follow from the keys that were there. */
type Row = readonly [key: number, v: number]

interface Command {
  readonly kind: 'insert' | 'nothing' | 'upsert' | 'upsertIfMore' | 'update' | 'delete' | 'merge'
  readonly rows: readonly Row[]
  readonly returning: boolean
  readonly bound: boolean
}

const conflicts: Readonly<Record<string, string>> = {
  insert: '',
  nothing: ' on conflict do nothing',
  upsert: ' on conflict (k) do update set v = excluded.v',
  upsertIfMore: ' on conflict (k) do update set v = excluded.v where excluded.v > item.v',
}

/** How many rows are changed; `undefined` where the statement fails, and changes none. */
function changed(model: Map<number, number>, { kind, rows }: Command): number | undefined {
  const keys = rows.map(([k]) => k)
  let changes = 0
  if (kind === 'update' || kind === 'delete') {
    for (const k of new Set(keys)) {
      const v = model.get(k)
      if (v === undefined) continue
      if (kind === 'update') model.set(k, v + 1)
      else model.delete(k)
      changes++
    }
    return changes
  }
  // Of duplicates within one statement DuckDB takes the first; this is about counts.
  const unique = rows.filter(([k], index) => keys.indexOf(k) === index)
  if (kind === 'insert' && (unique.length < rows.length || keys.some((k) => model.has(k))))
    return undefined
  for (const [k, v] of unique) {
    const before = model.get(k)
    const isWritten =
      before === undefined ||
      kind === 'upsert' ||
      kind === 'merge' ||
      (kind === 'upsertIfMore' && v > before)
    if (!isWritten) continue
    model.set(k, v)
    changes++
  }
  return changes
}

function statement({ kind, rows, returning, bound }: Command): [string, unknown[]] {
  const used = kind === 'insert' ? rows : uniqueRows(rows)
  const parameters: unknown[] = []
  const write = (value: number): string => {
    if (!bound) return String(value)
    parameters.push(value)
    return `$${parameters.length}::integer`
  }
  const tail = returning ? ' returning k' : ''
  const keys = (): string => used.map(([k]) => write(k)).join(', ')
  const values = (): string => used.map(([k, v]) => `(${write(k)}, ${write(v)})`).join(', ')
  switch (kind) {
    case 'update':
      return [`update item set v = v + 1 where k in (${keys()})${tail}`, parameters]
    case 'delete':
      return [`delete from item where k in (${keys()})${tail}`, parameters]
    case 'merge': {
      const source = `(values ${values()}) s(k, v)`
      const sql =
        `merge into item using ${source} on item.k = s.k when matched then update set v = s.v ` +
        `when not matched then insert values (s.k, s.v)${returning ? ' returning merge_action' : ''}`
      return [sql, parameters]
    }
    default:
      return [`insert into item values ${values()}${conflicts[kind]}${tail}`, parameters]
  }
}

function uniqueRows(rows: readonly Row[]): readonly Row[] {
  return rows.filter(([k], index) => rows.findIndex(([other]) => other === k) === index)
}

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom('insert', 'nothing', 'upsert', 'upsertIfMore', 'update', 'delete', 'merge'),
  rows: fc.array(fc.tuple(fc.nat(7), fc.nat(9)), { minLength: 1, maxLength: 5 }),
  returning: fc.boolean(),
  bound: fc.boolean(),
})

test(
  'the counts of random statements are those that follow from the rows',
  { timeout: 3_600_000 },
  async () => {
    const database = await open({ path: ':memory:', pool: { max: 1 } })
    await run(database, 'create table item (k integer primary key, v integer)')
    const start = performance.now()
    let statements = 0
    const check = async (commands: readonly Command[]): Promise<void> => {
      await run(database, 'delete from item')
      const model = new Map<number, number>()
      for (const each of commands) {
        await checkOne(database, model, each)
        statements++
      }
      expect(await column(database, "select k || ' ' || v from item order by k")).toEqual(
        Array.from(model, ([k, v]) => `${k} ${v}`).toSorted(),
      )
    }
    await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 20 }), check), {
      seed,
      numRuns: runs(200, 20_000),
    })
    record('duckdb-counts-model', { statements, durationMs: Math.round(performance.now() - start) })
  },
)

async function checkOne(
  database: DuckDBDatabase,
  model: Map<number, number>,
  each: Command,
): Promise<void> {
  const [sql, parameters] = statement(each)
  const expected = changed(model, each)
  const actual = await database.execute(sql, parameters).then(
    ({ changes, rows }) => ({ changes, returned: rows.length }),
    (error: Error) => error.message,
  )
  if (expected === undefined) expect(actual, sql).toMatch(/^Constraint Error/)
  else expect(actual, sql).toEqual({ changes: expected, returned: each.returning ? expected : 0 })
}
