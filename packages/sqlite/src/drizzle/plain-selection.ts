import { isIdentity } from '@keelson/core/drizzle'
import { Column, is } from 'drizzle-orm'
import type { SelectedFieldsOrdered } from 'drizzle-orm/sqlite-core'

/** Texts remembered at most; an application has far fewer. */
const maxTexts = 1_000

/**
 * Selections whose rows need no mapping: columns of one table under their own names, with values as SQLite returns
 * them. Their rows are read as objects at once, which spares making each row twice.
 */
export class PlainSelections {
  /** What looked plain, but SQLite names a column otherwise: it was declared with letters of another case. */
  readonly #misnamed = new Set<string>()

  /** The keys that the rows of the statement must have, or undefined when its rows have to be mapped. */
  keysOf(sql: string, fields: SelectedFieldsOrdered): readonly string[] | undefined {
    if (this.#misnamed.has(sql)) return undefined
    const keys: string[] = []
    for (const { path, field } of fields) {
      if (path.length !== 1 || !is(field, Column) || !isIdentity(field)) return undefined
      if (field.name !== path[0] || field.name === '__proto__') return undefined
      keys.push(field.name)
    }
    return keys
  }

  /** Whether the rows have these keys, in this order; if not, the statement is not taken for plain again. */
  confirm(sql: string, keys: readonly string[], rows: readonly unknown[]): boolean {
    if (rows.length === 0) return true
    const found = Object.keys(rows[0] as object)
    if (found.length === keys.length && found.every((key, index) => key === keys[index]))
      return true
    if (this.#misnamed.size >= maxTexts) this.#misnamed.clear()
    this.#misnamed.add(sql)
    return false
  }
}
