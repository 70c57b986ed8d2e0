import type { Statement } from '../shape/statement.ts'

/**
 * What an advisor knows of the queries that ran. Read by its structure: the `workload.json` of `@keelson/timing` is one, and
 * so is what an advisor's own `workload()` returns. All times are in milliseconds.
 */
export interface AdvisorWorkload {
  /** Version of this shape. */
  readonly v: 1
  readonly queries: readonly AdvisorQuery[]
  /**
   * By database and table, how many rows of it were written. Taken from the queries where it is absent. A number is that of a
   * table of any database, as earlier versions of `@keelson/timing` have it.
   */
  readonly writes?: Readonly<Record<string, number | Readonly<Record<string, number>>>> | undefined
}

export interface AdvisorQuery {
  /** The statement; its values may be `?`, and a list of them `(?+)`. */
  readonly text: string
  /** The statement as it was printed, where that is known besides: `samples` are of it. */
  readonly sql?: string | undefined
  readonly calls: number
  /** How long all calls took; absent where it was not measured. */
  readonly totalMs?: number | undefined
  /** Rows that all calls have written, as the engine says; absent or 0 where it was not counted. */
  readonly affectedRows?: number | undefined
  /** What the statement says of tables, where it is known better than by its text. */
  readonly statement?: Statement | undefined
  /** Some of the values that it was called with. In memory only: `workload()` leaves them out. */
  readonly samples?: readonly QuerySample[] | undefined
  /** Whose it is. Queries of other databases are left out. */
  readonly database?: string | undefined
  /** The engine that it ran on. Queries of other engines are left out. */
  readonly system?: string | undefined
}

/** One call. */
export interface QuerySample {
  readonly parameters: readonly unknown[]
  /** With the values of this call in it. */
  readonly statement?: Statement | undefined
}
