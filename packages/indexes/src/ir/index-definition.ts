import type { EngineName } from '@keelson/core'
import type { Expression, Predicate } from './expression.ts'

/** An index. Two are the same when all but their names are. */
export interface IndexDefinition {
  /** @default made of the table, its keys and a hash of the definition: see `indexName()` */
  readonly name?: string
  readonly keys: readonly IndexKey[]
  readonly unique: boolean
  /** The rows that it is over. @default all */
  readonly where?: Predicate
  /** How it is built, by engine, for example `{ postgresql: 'gin' }`. @default the engine's own, a B-tree */
  readonly method?: Readonly<Partial<Record<EngineName, string>>>
  /** Columns that it holds besides its keys. PostgreSQL. */
  readonly include?: readonly string[]
  /** Whether two NULLs are different for `unique`. PostgreSQL 15 and later can be told no. @default true */
  readonly nullsDistinct?: boolean
  /** The index behind a UNIQUE constraint of a live table: it is created and dropped with the table. @default false */
  readonly constraint?: boolean
}

export interface IndexKey {
  readonly expression: Expression
  /** @default 'asc' */
  readonly direction?: 'asc' | 'desc'
  /** The engine's name of a collation, for example SQLite's `NOCASE`. @default the column's own */
  readonly collation?: string
}

/** How a table is asked, from which the keys of an index follow: equality first, then the sort, then a range. */
export interface QueryPattern {
  readonly equals: readonly Expression[]
  /** Compared with one of a list. */
  readonly among: readonly Expression[]
  readonly ranges: readonly Expression[]
  readonly sort: readonly IndexKey[]
  /** Whether only the first rows are asked for. */
  readonly limited: boolean
}
