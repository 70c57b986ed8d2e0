import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { PortableKind } from '../ir/portable-type.ts'
import { isTextDecimal } from '../sql/check-predicate.ts'
import { dialects } from '../sql/dialects.ts'

/** What there is to refer to in an expression. */
export interface Scope {
  readonly engine: EngineName
  /** By the name as the engine compares it. */
  readonly columns: ReadonlyMap<string, ScopeColumn>
}

export interface ScopeColumn {
  readonly name: string
  readonly kind: PortableKind
  /** See `isTextDecimal`. */
  readonly isTextDecimal: boolean
}

/** The columns of one table. */
export function scopeOf(columns: readonly ColumnDefinition[], engine: EngineName): Scope {
  const found = known.get(columns)
  if (found?.engine === engine) return found
  const scope = newScope(columns, engine)
  known.set(columns, scope)
  return scope
}

/** Each index and check of a table asks again. */
const known = new WeakMap<readonly ColumnDefinition[], Scope>()

function newScope(columns: readonly ColumnDefinition[], engine: EngineName): Scope {
  const { foldedName } = dialects[engine]
  return {
    engine,
    columns: new Map(
      columns.map((column): [string, ScopeColumn] => {
        const { name, type } = column
        const isText = isTextDecimal(column, engine)
        return [foldedName(name), { name, kind: type.kind, isTextDecimal: isText }]
      }),
    ),
  }
}
