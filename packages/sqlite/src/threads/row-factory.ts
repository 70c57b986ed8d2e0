import { objectFrom } from '@keelson/core'
import { compiled } from '../values/compiled.ts'

/** Makes rows of what a thread sends, for the columns of one statement. */
export class RowFactory {
  readonly #names: readonly string[]
  #makeFlat: FlatMaker | undefined
  #makeColumns: ColumnsMaker | undefined

  constructor(names: readonly string[]) {
    this.#names = names
  }

  /** @param values one behind the other */
  fromFlat(values: readonly unknown[], count: number, as: 'objects' | 'arrays'): unknown[] {
    const width = this.#names.length
    restoreBytes(values as unknown[])
    if (as === 'arrays') {
      const rows: unknown[] = []
      for (let at = 0; at < count * width; at += width) rows.push(values.slice(at, at + width))
      return width === 0 ? Array.from({ length: count }, () => []) : rows
    }
    this.#makeFlat ??=
      compiled<FlatMaker>(['values', 'count'], flatBody(this.#names)) ?? genericFlat(this.#names)
    return this.#makeFlat(values, count)
  }

  /** @param into rows of the same result that came before, to which these are added */
  fromColumns(
    columns: readonly (Float64Array | readonly unknown[])[],
    count: number,
    as: 'objects' | 'arrays',
    into: unknown[],
  ): unknown[] {
    for (const column of columns) if (Array.isArray(column)) restoreBytes(column)
    if (as === 'arrays') {
      for (let row = 0; row < count; row++) {
        const values: unknown[] = []
        for (const column of columns) values.push(column[row])
        into.push(values)
      }
      return into
    }
    this.#makeColumns ??=
      compiled<ColumnsMaker>(['columns', 'count', 'into'], columnsBody(this.#names)) ??
      genericColumns(this.#names)
    this.#makeColumns(columns, count, into)
    return into
  }
}

type FlatMaker = (values: readonly unknown[], count: number) => unknown[]
type ColumnsMaker = (
  columns: readonly (Float64Array | readonly unknown[])[],
  count: number,
  into: unknown[],
) => void

/** Bytes arrive as a Uint8Array, whatever they were. */
function restoreBytes(values: unknown[]): void {
  for (let at = 0; at < values.length; at++) {
    const value = values[at]
    if (typeof value !== 'object' || value === null) continue
    const { buffer, byteOffset, byteLength } = value as Uint8Array<ArrayBuffer>
    values[at] = Buffer.from(buffer, byteOffset, byteLength)
  }
}

/** In brackets: `{ "__proto__": x }` would set the prototype. */
function keyOf(name: string): string {
  const text = JSON.stringify(name)
  return name === '__proto__' ? `[${text}]` : text
}

function flatBody(names: readonly string[]): string {
  const values = names.map((name, index) => `${keyOf(name)}: values[at + ${index}]`)
  return `const rows = []; for (let row = 0, at = 0; row < count; row++, at += ${names.length}) rows.push({ ${values.join(', ')} }); return rows`
}

function columnsBody(names: readonly string[]): string {
  const reads = names.map((_, index) => `const c${index} = columns[${index}];`)
  const values = names.map((name, index) => `${keyOf(name)}: c${index}[row]`)
  return `${reads.join(' ')} for (let row = 0; row < count; row++) into.push({ ${values.join(', ')} })`
}

function genericFlat(names: readonly string[]): FlatMaker {
  return (values, count) =>
    Array.from({ length: count }, (_, row) =>
      objectFrom(names, (column) => values[row * names.length + column]),
    )
}

function genericColumns(names: readonly string[]): ColumnsMaker {
  return (columns, count, into) => {
    for (let row = 0; row < count; row++) into.push(objectFrom(names, (at) => columns[at]![row]))
  }
}
