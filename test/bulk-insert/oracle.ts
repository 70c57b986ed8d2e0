import { type Kind, type Row, traits } from './engines.ts'

/** A bulk insert of random rows into a random table. */
export interface Case {
  readonly columns: readonly ('a' | 'b' | 'c' | 'd')[]
  /** Whether the table has a second unique key, on `u`. */
  readonly hasUnique: boolean
  readonly existing: readonly Row[]
  readonly input: readonly unknown[]
  readonly onConflict:
    | undefined
    | 'error'
    | 'skip'
    | { readonly target: string; readonly update: readonly string[] | 'all' }
    | { readonly target: readonly string[]; readonly skip: true }
  readonly duplicatesInInput: 'error' | 'first' | 'last' | undefined
  readonly batchRows: number
  readonly atomic: boolean
  readonly onRejected: 'abort' | 'collect'
}

export interface Expected {
  /** Those that can be in the table together. */
  readonly existing: readonly Row[]
  /** In the order of their insertion. */
  readonly rows: readonly Row[]
  readonly counts: {
    readonly attempted: number
    readonly inserted: number
    readonly updated: number
    readonly skipped: number
    readonly rejected: number
  }
  readonly rejected: readonly number[]
  readonly failsAt: number | undefined
  readonly durableRows: number
}

type Outcome = 'inserted' | 'updated' | 'skipped' | 'rejected'

/** What the engine should do, or undefined where that is its own to decide. */
export function expected(kind: Kind, { existing, input, ...each }: Case): Expected | undefined {
  const table = new Memory(kind, each)
  for (const row of existing) table.insert(row, undefined)
  const before = table.rows.map((row) => ({ ...row }))
  const counts = { attempted: 0, inserted: 0, updated: 0, skipped: 0, rejected: 0 }
  const rejected: number[] = []
  for (let from = 0; from < input.length; from += each.batchRows) {
    const batch = input.slice(from, from + each.batchRows)
    const kept = table.rows.map((row) => ({ ...row }))
    const outcomes = playBatch(kind, table, batch, each)
    if (outcomes === undefined) return undefined
    for (const [at, outcome] of outcomes.entries()) {
      counts.attempted++
      counts[outcome]++
      if (outcome !== 'rejected') continue
      rejected.push(from + at)
      if (each.onRejected === 'collect') continue
      const rows = each.atomic ? before : kept
      const durableRows = each.atomic ? 0 : from
      return { existing: before, rows, counts, rejected, failsAt: from + at, durableRows }
    }
  }
  const durableRows = input.length
  return { existing: before, rows: table.rows, counts, rejected, failsAt: undefined, durableRows }
}

function playBatch(
  kind: Kind,
  table: Memory,
  batch: readonly unknown[],
  { onConflict, duplicatesInInput }: Omit<Case, 'existing' | 'input'>,
): Outcome[] | undefined {
  const isUpdate = typeof onConflict === 'object' && 'update' in onConflict
  const isSet = traits[kind].asSet && isUpdate
  const dropped = isSet ? duplicatesOf(batch, duplicatesInInput) : new Set<number>()
  // Rows of different keys are sent apart, and so are those around one that is rejected: they follow each other.
  if (dropped.size > 0 && shapesOf(batch) > 1) return undefined
  const outcomes: Outcome[] = []
  for (const [at, row] of batch.entries()) {
    if (dropped.has(at)) {
      outcomes.push(
        duplicatesInInput === 'error' || duplicatesInInput === undefined ? 'rejected' : 'skipped',
      )
      continue
    }
    const outcome = table.insert(row, onConflict)
    if (outcome === undefined) return undefined
    if (outcome === 'rejected' && dropped.size > 0) return undefined
    outcomes.push(outcome)
  }
  return outcomes
}

function duplicatesOf(batch: readonly unknown[], keep: Case['duplicatesInInput']): Set<number> {
  const seen = new Map<unknown, number>()
  const dropped = new Set<number>()
  for (const [at, row] of batch.entries()) {
    const id = (row as Row | null)?.['id']
    if (id === undefined) continue
    const other = seen.get(id)
    if (other !== undefined) dropped.add(keep === 'last' ? other : at)
    if (other === undefined || keep === 'last') seen.set(id, at)
  }
  return dropped
}

function shapesOf(batch: readonly unknown[]): number {
  return new Set(batch.map((row) => JSON.stringify(Object.keys(Object(row)).toSorted()))).size
}

/** A table in memory: `id` is its key, `n` is not null and below 1,000, `u` may be unique, `d` has the default 7. */
class Memory {
  readonly rows: Row[] = []
  readonly #kind: Kind
  readonly #hasUnique: boolean
  readonly #columns: readonly string[]

  constructor(kind: Kind, { hasUnique, columns }: Omit<Case, 'existing' | 'input'>) {
    this.#kind = kind
    this.#hasUnique = hasUnique
    this.#columns = ['id', 'n', ...(hasUnique ? ['u'] : []), ...columns]
  }

  /** Inserts a row; undefined where the engines differ in which key they look at first. */
  insert(given: unknown, onConflict: Case['onConflict']): Outcome | undefined {
    if (typeof given !== 'object' || given === null) return 'rejected'
    const row = given as Row
    if (Object.keys(row).some((key) => !this.#columns.includes(key))) return 'rejected'
    const same = this.rows.find(({ id }) => id === row['id'])
    const sameUnique = this.#withUnique(row['u'])
    if (row['n'] === null || row['n'] >= 1_000) {
      // DuckDB checks a row only when it is not there, which two rows of one batch that fail together decide.
      const isChecked = same === undefined && sameUnique === undefined
      const skipsCheck = this.#kind === 'duckdb' && (onConflict ?? 'error') !== 'error'
      return skipsCheck && !isChecked ? undefined : 'rejected'
    }
    if (same === undefined && sameUnique === undefined) {
      this.rows.push(
        Object.fromEntries(this.#columns.map((key) => [key, row[key] ?? this.#default(row, key)])),
      )
      return 'inserted'
    }
    if (onConflict === undefined || onConflict === 'error') return 'rejected'
    if (onConflict === 'skip') return 'skipped'
    if (same === undefined) return 'rejected'
    if (sameUnique !== undefined) return undefined
    if ('skip' in onConflict) return 'skipped'
    const others = Object.keys(row).filter((key) => key !== 'id')
    const updated = onConflict.update === 'all' ? others : onConflict.update
    for (const key of updated) same[key] = row[key] ?? this.#default(row, key)
    return 'updated'
  }

  #default(row: Row, key: string): unknown {
    return key === 'd' && row[key] === undefined ? 7 : null
  }

  #withUnique(u: unknown): Row | undefined {
    if (!this.#hasUnique || u === undefined || u === null) return undefined
    return this.rows.find((row) => row['u'] === u)
  }
}
