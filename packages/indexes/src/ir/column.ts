import type { EngineName } from '@keelson/core'
import type { Literal } from './expression.ts'
import type { PortableType } from './portable-type.ts'

/** A column of a table. */
export interface ColumnDefinition {
  readonly name: string
  readonly type: PortableType
  readonly nullable: boolean
  readonly default?: ColumnDefault
  /** The engine computes it. */
  readonly generated?: GeneratedColumn
  /** The engine numbers it: `AUTOINCREMENT`-like on SQLite, an identity, a sequence, `AUTO_INCREMENT`. */
  readonly identity?: boolean
  /** The engine's own type in place of the portable one, by engine. */
  readonly override?: Readonly<Partial<Record<EngineName, string>>>
  readonly description?: string
}

export type ColumnDefault =
  | { readonly kind: 'value'; readonly value: Literal }
  /** The moment of the insert: for `date` and `datetime`. */
  | { readonly kind: 'now' }
  | { readonly kind: 'unsafeSql'; readonly sql: string }

export interface GeneratedColumn {
  /** SQL of the engine. */
  readonly sql: string
  /** Whether the value is kept, or computed on every read. */
  readonly stored: boolean
}
