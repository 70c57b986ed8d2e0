import type { Int64Policy } from '../contract.ts'
import { convertRow, objectConverter } from '../values/int64.ts'
import type { PreparedStatement } from './prepared-statement.ts'

/** Steps through the rows of a statement. Whoever makes one closes it, also after the last row. */
export class RowIterator {
  readonly #statement: PreparedStatement
  readonly #rows: 'objects' | 'arrays'
  readonly #int64: Int64Policy
  readonly #iterator: IterableIterator<unknown>
  #convert: ((row: unknown) => void) | undefined

  constructor(
    statement: PreparedStatement,
    bound: readonly unknown[],
    rows: 'objects' | 'arrays',
    int64: Int64Policy,
  ) {
    this.#statement = statement
    this.#rows = rows
    this.#int64 = int64
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
    this.#convert ??= this.#converterFor(row as object)
    this.#convert(row)
    return row
  }

  close(): void {
    this.#statement.isStepping = false
    this.#iterator.return?.()
  }

  /** The columns of a statement do not change while it is stepped, so the first row tells. */
  #converterFor(row: object): (row: unknown) => void {
    const policy = this.#int64
    if (policy === 'bigint' || policy === 'lossyNumber') return () => {}
    if (this.#rows === 'objects') return objectConverter(Object.keys(row), policy)
    const names = this.#statement.columnNames()
    return (each) => convertRow(each, policy, () => names)
  }
}
