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
    const { stopsAt } = outcomes
    for (const [at, outcome] of outcomes.of.entries()) {
      if (outcome === undefined) continue
      counts.attempted++
      counts[outcome]++
      if (outcome === 'rejected') rejected.push(from + at)
    }
    if (stopsAt === undefined) continue
    const rows = each.atomic ? before : kept
    const durableRows = each.atomic ? 0 : from
    return { existing: before, rows, counts, rejected, failsAt: from + stopsAt, durableRows }
  }
  const durableRows = input.length
  return { existing: before, rows: table.rows, counts, rejected, failsAt: undefined, durableRows }
}

interface Outcomes {
  /** Undefined for rows after the one that it stops at. */
  readonly of: readonly (Outcome | undefined)[]
  readonly stopsAt: number | undefined
}

function playBatch(
  kind: Kind,
  table: Memory,
  batch: readonly unknown[],
  { onConflict, duplicatesInInput = 'error', onRejected }: Omit<Case, 'existing' | 'input'>,
): Outcomes | undefined {
  const isUpdate = typeof onConflict === 'object' && 'update' in onConflict
  const isSet = traits[kind].asSet && isUpdate
  const outcomes = Array<Outcome | undefined>(batch.length).fill(undefined)
  const taken = new Set<unknown>()
  const passedBy = new Map<unknown, number[]>()
  // A row that follows the others whatever its key is has one of its own.
  const keyOf = (row: unknown, at: number): unknown =>
    isSet && table.isRow(row) ? row['id'] : `row ${at}`
  const last = new Map(batch.map((row, at) => [keyOf(row, at), at]))
  for (const [at, row] of batch.entries()) {
    const id = keyOf(row, at)
    if (taken.has(id)) {
      outcomes[at] = duplicatesInInput === 'error' ? 'rejected' : 'skipped'
      if (outcomes[at] === 'rejected' && onRejected === 'abort')
        return { of: outcomes, stopsAt: at }
      continue
    }
    if (isSet && duplicatesInInput === 'last' && last.get(id) !== at) {
      passedBy.set(id, [...(passedBy.get(id) ?? []), at])
      continue
    }
    // Where the last one is rejected, the one before takes its place.
    const candidates = [...(passedBy.get(id) ?? []), at]
    while (candidates.length > 0) {
      const candidate = candidates.pop()!
      const outcome = table.insert(batch[candidate], onConflict)
      if (outcome === undefined) return undefined
      outcomes[candidate] = outcome
      if (outcome === 'rejected' && onRejected === 'abort')
        return { of: outcomes, stopsAt: candidate }
      if (outcome === 'rejected') continue
      if (isSet) taken.add(id)
      for (const other of candidates.splice(0)) outcomes[other] = 'skipped'
    }
  }
  return { of: outcomes, stopsAt: undefined }
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

  /** Whether it can be sent. */
  isRow(given: unknown): given is Row {
    if (typeof given !== 'object' || given === null) return false
    return Object.keys(given).every((key) => this.#columns.includes(key))
  }

  /** Inserts a row; undefined where the engines differ in which key they look at first. */
  insert(given: unknown, onConflict: Case['onConflict']): Outcome | undefined {
    if (!this.isRow(given)) return 'rejected'
    const row = given
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
