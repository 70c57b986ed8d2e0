import type { EngineName } from '@keelson/core'
import { type SQL, sql } from 'drizzle-orm'
import { readPredicate } from '../introspect/read-expression.ts'
import { readKey } from '../introspect/read-key.ts'
import { type Scope, scopeOf } from '../introspect/scope.ts'
import { canonicalPredicate } from '../sql/canonical-expression.ts'
import type { Predicate } from '../ir/expression.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { IndexKey } from '../ir/index-definition.ts'
import type { SqlWriter } from './drizzle-tables.ts'

/** SQL of Drizzle as the terms of definitions, where they can say it; as text where not. */
export class DrizzleSql {
  readonly engine: EngineName
  readonly #dialect: SqlWriter
  readonly #scope: Scope

  /** @param columns those of the table, where its SQL names any */
  constructor(engine: EngineName, dialect: SqlWriter, columns: readonly ColumnDefinition[] = []) {
    this.engine = engine
    this.#dialect = dialect
    this.#scope = scopeOf(columns, engine)
  }

  /** As it would stand in a statement about this one table, without parameters. */
  text(given: SQL): string {
    // The wrapper is told to write its values, and not the user's object.
    return this.#dialect.sqlToQuery(sql`${given}`.inlineParams(), 'indexes').sql.trim()
  }

  predicate(given: SQL): Predicate {
    const read = readPredicate(this.text(given), this.#scope)
    // SQLite's 0 beside a boolean is false to the others.
    return canonicalPredicate(read, this.#scope)
  }

  /** SQLite's and MySQL's keys have their direction in the SQL: sql`${table.price} desc`. */
  key(given: SQL): IndexKey {
    return readKey(this.text(given), this.#scope)
  }
}
