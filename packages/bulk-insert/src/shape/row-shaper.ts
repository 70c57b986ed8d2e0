import { RowError } from '../errors.ts'
import type { Target } from '../host/target.ts'
import { AlikeRows } from './alike-rows.ts'
import type { Run, Shape } from './run.ts'
import type { TableInfo } from './table-info.ts'

interface Column {
  readonly key: string
  readonly fill: (() => unknown) | undefined
  readonly encode: ((value: unknown) => unknown) | undefined
}

interface KnownShape extends Shape {
  /** As the rows call them. */
  readonly rowKeys: readonly string[]
  readonly columns: readonly Column[]
  /** No column of it is filled in or encoded. */
  readonly isBare: boolean
  /** No key of it is one that every object has, so that reading it tells whether it is there. */
  readonly isOwn: boolean
}

/**
 * Turns rows into columns of values, and tells what is wrong with a row before anything is sent: keys
 * that are no columns, missing ones that have no default.
 */
export class RowShaper {
  readonly #target: Target
  readonly #table: TableInfo
  readonly #keysOfOptions: ReadonlyMap<string, string>
  readonly #shapes = new Map<string, KnownShape>()
  readonly #alike: AlikeRows
  #current: KnownShape | undefined

  /**
   * @param keysOfOptions what the options call columns, by their names in the database: a statement has one key for each,
   *   also where the engine takes another one for the same
   */
  constructor(
    target: Target,
    table: TableInfo,
    keysOfOptions: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#target = target
    this.#table = table
    this.#keysOfOptions = keysOfOptions
    this.#alike = new AlikeRows((value) => target.isExpression(value))
  }

  /** Position in the input of the row that was added last, or could not be. */
  position = 0

  /**
   * Adds rows to the runs.
   *
   * @param from the first one that is to be added
   * @param to the first one that is not
   * @param first the position in the input of `rows[0]`
   * @throws {RowError} when one of them cannot be inserted, which `position` tells
   */
  addAll(runs: Run[], rows: readonly unknown[], from: number, to: number, first: number): void {
    for (let row = from; row < to; row++) {
      const shape = this.#current
      if (shape?.isBare === true)
        row = this.#alike.add(runs, shape, shape.rowKeys, rows, { from: row, to, first })
      if (row === to) return
      this.position = first + row
      this.add(runs, rows[row], first + row)
    }
  }

  /**
   * Adds a row to the runs.
   *
   * @throws {RowError} when it cannot be inserted
   */
  add(runs: Run[], row: unknown, index: number): void {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw new RowError(
        'NOT_A_ROW',
        `is ${kindOf(row)}. A row is an object whose keys are columns.`,
      )
    }
    const current = this.#current
    const values = current && this.#quickly(row as Record<string, unknown>, current)
    if (values !== undefined) this.#append(runs, current!, row, index, values)
    else this.#slowly(runs, row as Record<string, unknown>, index)
  }

  /** What the rows call a column of the database. */
  keyOf(name: string): string {
    for (const { rowKeys, names } of this.#shapes.values()) {
      const at = names.indexOf(name)
      if (at !== -1) return rowKeys[at]!
    }
    return name
  }

  #quickly(row: Record<string, unknown>, shape: KnownShape): unknown[] | undefined {
    if (!shape.isOwn) return undefined
    let keys = 0
    for (const _ in row) keys++
    if (keys !== shape.given) return undefined
    return shape.isBare ? this.#bareValues(row, shape.rowKeys) : this.#values(row, shape.columns)
  }

  /** Where nothing is filled in and nothing encoded. */
  #bareValues(row: Record<string, unknown>, keys: readonly string[]): unknown[] | undefined {
    // Of its size from the beginning: one that grows takes three times as much.
    const values = Array<unknown>(keys.length)
    for (let at = 0; at < keys.length; at++) {
      const value = row[keys[at]!]
      if (value === undefined || this.#isExpression(value)) return undefined
      values[at] = value
    }
    return values
  }

  #values(row: Record<string, unknown>, columns: readonly Column[]): unknown[] | undefined {
    const values = Array<unknown>(columns.length)
    for (let at = 0; at < columns.length; at++) {
      const { key, fill, encode } = columns[at]!
      let value = row[key]
      if (value === undefined) {
        if (fill === undefined || key in row) return undefined
        value = fill()
      }
      if (encode !== undefined && value !== null && !this.#isExpression(value))
        value = encoded(value, encode, key)
      if (this.#isExpression(value)) return undefined
      values[at] = value
    }
    return values
  }

  #slowly(runs: Run[], row: Record<string, unknown>, index: number): void {
    const given = Object.keys(row).filter((key) => row[key] !== undefined)
    const shape = this.#shapeOf(given)
    this.#current = shape
    let isPlain = false
    const values: unknown[] = []
    for (const { key, fill, encode } of shape.columns) {
      const isGiven = Object.hasOwn(row, key) && row[key] !== undefined
      let value = isGiven ? row[key] : fill!()
      if (encode !== undefined && value !== null && !this.#isExpression(value))
        value = encoded(value, encode, key)
      isPlain ||= this.#isExpression(value)
      values.push(value)
    }
    if (isPlain) {
      const { keys, names, given: own } = shape
      const columns = byColumn(values)
      runs.push({ keys, names, given: own, indexes: [index], columns, rows: [row], isPlain })
    } else this.#append(runs, shape, row, index, values)
  }

  #isExpression(value: unknown): boolean {
    return typeof value === 'object' && value !== null && this.#target.isExpression(value)
  }

  #append(
    runs: Run[],
    { keys, names, given }: KnownShape,
    row: object,
    index: number,
    values: unknown[],
  ): void {
    const last = runs.at(-1)
    if (last !== undefined && last.keys === keys && !last.isPlain) {
      last.indexes.push(index)
      for (let at = 0; at < values.length; at++) last.columns[at]!.push(values[at])
      last.rows.push(row)
    } else {
      const columns = byColumn(values)
      runs.push({ keys, names, given, indexes: [index], columns, rows: [row], isPlain: false })
    }
  }

  #shapeOf(given: readonly string[]): KnownShape {
    const id = JSON.stringify(given.toSorted())
    const known = this.#shapes.get(id)
    if (known !== undefined) return known
    const filled = this.#target.filled.filter((key) => !given.includes(key))
    const rowKeys = [...given, ...filled]
    if (rowKeys.length === 0) {
      throw new RowError(
        'NOT_A_ROW',
        'has no values. A row has at least one, however many others are left to their defaults.',
      )
    }
    const names = this.#namesOf(rowKeys)
    this.#refuseMissing(names)
    const columns = rowKeys.map((key) => ({
      key,
      fill: filled.includes(key) ? this.#target.fillOf(key) : undefined,
      encode: this.#target.encoderOf(key),
    }))
    const shape: KnownShape = {
      keys: rowKeys.map((key, at) => this.#keysOfOptions.get(names[at]!) ?? key),
      rowKeys,
      names,
      columns,
      isBare: columns.every(({ fill, encode }) => fill === undefined && encode === undefined),
      given: given.length,
      isOwn: !rowKeys.some((key) => key in Object.prototype),
    }
    this.#shapes.set(id, shape)
    return shape
  }

  #namesOf(keys: readonly string[]): string[] {
    const names = this.#target.columnNames(keys)
    const seen = new Map<string, string>()
    return keys.map((key, at) => {
      const name = names[at]
      const column = name === undefined ? undefined : this.#table.column(name)
      if (column?.isGenerated === true || this.#target.isGenerated(key)) {
        throw new RowError(
          'UNKNOWN_COLUMN',
          `has the key ${JSON.stringify(key)}, whose column is generated by the database. Leave it out.`,
          key,
        )
      }
      if (column !== undefined) {
        const other = seen.get(column.name)
        seen.set(column.name, key)
        if (other === undefined) return column.name
        throw new RowError(
          'REPEATED_COLUMN',
          `has the keys ${JSON.stringify(other)} and ${JSON.stringify(key)}, which are the same column. Leave one out.`,
          key,
        )
      }
      throw new RowError(
        'UNKNOWN_COLUMN',
        `has the key ${JSON.stringify(key)}, and ${JSON.stringify(this.#target.table)} has no such column. ` +
          `It has: ${this.#writable.join(', ')}.`,
        key,
      )
    })
  }

  get #writable(): string[] {
    return [...this.#table.columns.values()]
      .filter(({ isGenerated }) => !isGenerated)
      .map(({ name }) => this.#target.keyOf(name) ?? name)
  }

  #refuseMissing(names: readonly string[]): void {
    for (const { name, isRequired } of this.#table.columns.values()) {
      if (!isRequired || names.includes(name)) continue
      const key = this.#target.keyOf(name) ?? name
      throw new RowError(
        'MISSING_COLUMN',
        `has no value for ${JSON.stringify(key)}, which is not null and has no default.`,
        key,
      )
    }
  }
}

function byColumn(values: readonly unknown[]): unknown[][] {
  return values.map((value) => [value])
}

/** What an encoder makes of a value, which may be SQL. */
function encoded(value: unknown, encode: (value: unknown) => unknown, key: string): unknown {
  try {
    return encode(value)
  } catch (cause) {
    throw new RowError(
      'VALUE',
      `has a value for ${JSON.stringify(key)} that its column cannot encode: ${cause instanceof Error ? cause.message : String(cause)}.`,
      key,
      { cause },
    )
  }
}

/** What it is, without showing a value. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}
