import type { DuckDBDataChunk, DuckDBResult as ClientResult } from '@duckdb/node-api'
import { invalidOption } from '@keelson/core'
import type { ValuePolicies } from '../contract.ts'
import { type ColumnReader, columnReader } from '../values/column-reader.ts'

/** How values are read: in all columns, or in each by its position. */
export type ResultPolicies = ValuePolicies | readonly ValuePolicies[]

/** How the rows of a result are made of its columns. Kept with the statement, whose next result looks the same. */
export class RowShape {
  readonly columns: readonly string[]
  readonly #names: readonly string[]
  readonly #policies: ResultPolicies
  readonly #typeIds: readonly number[]
  readonly #readers: readonly ColumnReader[]
  /** An assignment to `__proto__` would set the prototype, and the value would be gone. */
  readonly #hasProto: boolean

  constructor(result: ClientResult, policies: ResultPolicies) {
    this.#names = result.columnNames()
    this.columns = uniqueNames(this.#names)
    this.#policies = policies
    this.#typeIds = this.columns.map((_, index) => result.columnTypeId(index))
    this.#readers = this.columns.map((name, index) =>
      columnReader(result.columnType(index), name, policiesAt(policies, index)),
    )
    this.#hasProto = this.columns.includes('__proto__')
  }

  /**
   * Whether it fits another result of the same statement. A parameter of another type can change a column's, and
   * somebody may have renamed it; what a type consists of comes with the chunks.
   */
  fits(result: ClientResult, policies: ResultPolicies): boolean {
    const names = this.#names
    if (policies !== this.#policies || result.columnCount !== names.length) return false
    return names.every(
      (name, index) =>
        result.columnTypeId(index) === this.#typeIds[index] && result.columnName(index) === name,
    )
  }

  /** The values of one column of a chunk. */
  column(chunk: DuckDBDataChunk, index: number, rowCount: number): unknown[] {
    return this.#readers[index]!(chunk.getColumnVector(index), rowCount)
  }

  /** Puts the columns of a chunk together to rows, from `start` up to `end`. */
  rows(
    columns: readonly unknown[][],
    as: 'objects' | 'arrays',
    start: number,
    end: number,
  ): unknown[] {
    if (as === 'arrays') return arrays(columns, start, end)
    return this.#hasProto
      ? this.#definedObjects(columns, start, end)
      : this.#objects(columns, start, end)
  }

  #objects(columns: readonly unknown[][], start: number, end: number): unknown[] {
    const names = this.columns
    const width = names.length
    const rows: unknown[] = []
    for (let row = start; row < end; row++) {
      const object: Record<string, unknown> = {}
      for (let column = 0; column < width; column++) object[names[column]!] = columns[column]![row]
      rows.push(object)
    }
    return rows
  }

  #definedObjects(columns: readonly unknown[][], start: number, end: number): unknown[] {
    return Array.from({ length: end - start }, (_, index) => {
      const object = {}
      this.columns.forEach((name, column) =>
        Object.defineProperty(object, name, {
          value: columns[column]![start + index],
          configurable: true,
          enumerable: true,
          writable: true,
        }),
      )
      return object
    })
  }
}

function policiesAt(policies: ResultPolicies, index: number): ValuePolicies {
  if (!isByColumn(policies)) return policies
  const own = policies[index]
  if (own !== undefined) return own
  return invalidOption(
    'execute()',
    'values',
    policies,
    `one object of policies, or an array of one for each column, of which there are more than ${index}`,
  )
}

/** `Array.isArray` does not tell arrays that are read only. */
function isByColumn(policies: ResultPolicies): policies is readonly ValuePolicies[] {
  return Array.isArray(policies)
}

function arrays(columns: readonly unknown[][], start: number, end: number): unknown[][] {
  const width = columns.length
  const rows: unknown[][] = []
  for (let row = start; row < end; row++) {
    const values: unknown[] = []
    for (let column = 0; column < width; column++) values.push(columns[column]![row])
    rows.push(values)
  }
  return rows
}

/** The names that DuckDB's client gives to the columns of row objects, so that no column hides another. */
function uniqueNames(names: readonly string[]): string[] {
  const given = new Set(names)
  const used = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let n = 1; used.has(unique) || (unique !== name && given.has(unique)); n++)
      unique = `${name}:${n}`
    used.add(unique)
    return unique
  })
}
