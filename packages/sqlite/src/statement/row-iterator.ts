import type { Int64Policy } from '../contract.ts'
import { convertRow } from '../values/int64.ts'
import type { PreparedStatement } from './prepared-statement.ts'

/** Steps through the rows of a statement. Whoever makes one closes it, also after the last row. */
export class RowIterator {
  readonly #statement: PreparedStatement
  readonly #rows: 'objects' | 'arrays'
  readonly #int64: Int64Policy
  readonly #converts: boolean
  readonly #iterator: IterableIterator<unknown>
  readonly #names: () => readonly string[]

  constructor(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: 'objects' | 'arrays',
    int64: Int64Policy,
  ) {
    this.#statement = statement
    this.#rows = rows
    this.#int64 = int64
    this.#converts = int64 === 'number' || int64 === 'string'
    let names: readonly string[] | undefined
    this.#names = () => (names ??= statement.columnNames())
    this.#iterator = statement.as(rows, int64 !== 'lossyNumber').iterate(bound)
    statement.isStepping = true
  }

  /** The next row, or `undefined` after the last. */
  next(): unknown {
    const { done, value } = this.#iterator.next()
    if (done === true) return undefined
    const row = this.#statement.needsObjects
      ? this.#statement.deliver(this.#rows, [value])[0]
      : value
    if (this.#converts) convertRow(row, this.#int64, this.#names)
    return row
  }

  close(): void {
    this.#statement.isStepping = false
    this.#iterator.return?.()
  }
}
