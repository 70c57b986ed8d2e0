import type { EngineName } from '@keelson/core'
import type { ColumnReference, Expression, Predicate } from '../ir/expression.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import { given } from './predicates.ts'

/** What can be a key: a column, a JSON path, a function, or one of them with a direction. */
export type KeyInput = Expression | IndexKey

/** An index that is being declared. Each method returns another one. */
export class IndexBuilder {
  readonly definition: IndexDefinition

  constructor(definition: IndexDefinition) {
    this.definition = definition
  }

  /** Only over these rows. DuckDB and MySQL have no such indexes. */
  where(predicate: Predicate): IndexBuilder {
    return new IndexBuilder({ ...this.definition, where: given('where()', predicate) })
  }

  /** How each engine builds it, for example `{ postgresql: 'gin' }`. */
  using(method: Readonly<Partial<Record<EngineName, string>>>): IndexBuilder {
    return new IndexBuilder({ ...this.definition, method })
  }

  /** Under this name instead of one made of its definition. */
  named(name: string): IndexBuilder {
    return new IndexBuilder({ ...this.definition, name })
  }

  /** Holds these columns besides its keys. PostgreSQL. */
  including(...columns: readonly ColumnReference[]): IndexBuilder {
    const include = columns.map((column) => given('including()', column).name)
    return new IndexBuilder({ ...this.definition, include })
  }

  /** Two NULLs are the same for `unique`. PostgreSQL 15 and later. */
  nullsNotDistinct(): IndexBuilder {
    return new IndexBuilder({ ...this.definition, nullsDistinct: false })
  }
}

export function keyOf(where: string, input: KeyInput): IndexKey {
  if ('expression' in (input ?? {})) return input as IndexKey
  return { expression: given(where, input as Expression) }
}
