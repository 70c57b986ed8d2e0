/** Over 300 lines, one subject: what the rows of a sample answer. */
import type { Expression } from '../../ir/expression.ts'
import { keyText, type SortKey, type Term } from '../shape/query-shape.ts'
import type { Sample } from './sample.ts'

type Comparable = string | number | null

/** Rows that are put in order to see how they lie. */
const mostOrdered = 4_000

/** What a sample says of a table: how many rows there are, and which part of them a condition selects. */
export class TableStatistics {
  readonly rows: number
  /** Bytes of a row, on average. */
  readonly width: number
  readonly #sampled: number
  readonly #columns: ReadonlyMap<string, readonly Comparable[]>
  readonly #places: readonly number[]
  /** What was asked before, by what it is and of which keys. */
  readonly #known = new Map<string, number>()
  readonly #orders = new Map<string, readonly number[]>()
  readonly #ids = new WeakMap<Term, number>()
  #terms = 0

  /** @param keys what was read of each row, in the order in which it was asked for */
  constructor(sample: Sample, keys: readonly Expression[]) {
    const { rows, sampled } = sample
    this.rows = rows
    this.#sampled = sampled.length
    this.#columns = new Map(
      keys.map((key, at) => [keyText(key), sampled.map((row) => comparable(row[`k${at}`]))]),
    )
    this.#places = sampled.map((row) => Number(row['place'] ?? 0))
    const widths = sampled.reduce((all, row) => all + Number(row['keelson_width'] ?? 0), 0)
    this.width = sampled.length === 0 ? 32 : widths / sampled.length + 8
  }

  get bytes(): number {
    return this.rows * this.width
  }

  has(key: Expression): boolean {
    return this.#columns.has(keyText(key))
  }

  /**
   * How many different values a list of keys has in the whole table, from how many are in the sample only once: the
   * estimator Duj1 of Haas and Stokes, https://doi.org/10.1080/01621459.1998.10473807
   */
  distinct(keys: readonly Expression[]): number {
    const texts = keys.map(keyText).toSorted()
    return this.#once(`distinct\n${texts.join('\n')}`, () => {
      const counts = this.#counts(texts)
      let once = 0
      for (const count of counts.values()) if (count === 1) once++
      const share = Math.min(1, this.#sampled / Math.max(1, this.rows))
      const fraction = this.#sampled === 0 ? 0 : once / this.#sampled
      const estimate = counts.size / Math.max(1e-9, 1 - (1 - share) * fraction)
      return Math.max(1, Math.min(this.rows, estimate))
    })
  }

  /** The part of the rows that have the most common value. */
  topShare(keys: readonly Expression[]): number {
    const texts = keys.map(keyText)
    return this.#once(`top\n${texts.join('\n')}`, () => {
      let most = 0
      for (const count of this.#counts(texts).values()) most = Math.max(most, count)
      return this.#sampled === 0 ? 1 : most / this.#sampled
    })
  }

  /** The part of the rows in which a key is NULL. */
  nullShare(key: Expression): number {
    return this.#share(key, (value) => value === null)
  }

  /** The part of the rows in which a key has this value. */
  share(key: Expression, value: unknown): number {
    const wanted = comparable(value)
    return this.#share(key, (each) => isEqual(each, wanted))
  }

  /** The values of a key that the sample has. */
  values(key: Expression): ReadonlySet<string | number> {
    const column = this.#columns.get(keyText(key)) ?? []
    return new Set(column.filter((value) => value !== null))
  }

  /** Bytes of a key, on average. */
  keyWidth(key: Expression): number {
    return this.#once(`width\n${keyText(key)}`, () => {
      const column = this.#columns.get(keyText(key)) ?? []
      let bytes = 0
      for (const value of column) bytes += bytesOf(value)
      return column.length === 0 ? 8 : bytes / column.length
    })
  }

  /**
   * The part of the rows that lie behind each other also in the order of some keys, as those of a time of creation do: seen
   * in the first rows of the sample, which is in the order of the table.
   */
  following(keys: readonly Expression[]): number {
    const texts = keys.map(keyText)
    return this.#once(`following\n${texts.join('\n')}`, () => {
      const columns = texts.map((text) => this.#columns.get(text) ?? [])
      const places = Array.from({ length: Math.min(this.#sampled, mostOrdered) }, (_, at) => at)
      places.sort((a, b) => {
        for (const column of columns) {
          const by = compareNullable(column[a] ?? null, column[b] ?? null)
          if (by !== 0) return by
        }
        return a - b
      })
      const behind = places.filter((place, at) => at > 0 && place === places[at - 1]! + 1)
      return behind.length / Math.max(1, places.length)
    })
  }

  /** Whether the rows lie in the order of the key, from -1 (backwards) to 1. 0 where places are not known. */
  clustering(key: Expression): number {
    return this.#once(`clustering\n${keyText(key)}`, () => this.#clustering(key))
  }

  #clustering(key: Expression): number {
    const column = this.#columns.get(keyText(key)) ?? []
    const pairs = column.flatMap((value, at) =>
      value === null ? [] : [{ value, place: this.#places[at] ?? 0 }],
    )
    if (pairs.length < 2 || new Set(pairs.map(({ place }) => place)).size < 2) return 0
    const byPlace = pairs.toSorted((a, b) => a.place - b.place)
    const ranks = new Map(
      pairs.toSorted((a, b) => compare(a.value, b.value)).map((pair, rank) => [pair, rank]),
    )
    const middle = (pairs.length - 1) / 2
    let together = 0
    let alone = 0
    byPlace.forEach((pair, place) => {
      together += (place - middle) * (ranks.get(pair)! - middle)
      alone += (place - middle) ** 2
    })
    return together / alone
  }

  /**
   * The part of the rows for which all terms hold. Values that are not known count with what one of them selects on
   * average, or, where `isWorst`, with what the most common one selects.
   */
  fraction(terms: readonly Term[], isWorst = false): number {
    if (terms.length === 0) return 1
    const id = `${isWorst ? 'worst' : ''}${terms.map((term) => this.#id(term)).join(' ')}`
    return this.#once(`fraction\n${id}`, () => this.#measure(terms, isWorst))
  }

  /**
   * Which part of the rows has to be read, in the order of some keys, until `limit` of them are found for which all terms
   * hold: what is asked for may lie at the front of that order, or at its end. Undefined where the sample does not say.
   */
  partRead(terms: readonly Term[], order: readonly SortKey[], limit: number): number | undefined {
    const wanted = Math.round((limit * this.#sampled) / Math.max(1, this.rows))
    const isSaid =
      wanted >= 1 &&
      order.length > 0 &&
      order.every(({ key }) => this.has(key)) &&
      terms.every((term) => isKnown(term) && this.has(term.key))
    if (!isSaid) return undefined
    const by = order.map(({ key, descending }) => `${keyText(key)} ${descending ? 'desc' : ''}`)
    const id = `part\n${limit}\n${by.join('\n')}\n${terms.map((term) => this.#id(term)).join(' ')}`
    return this.#once(id, () => {
      const tests = terms.map((term) => ({
        column: this.#columns.get(keyText(term.key))!,
        holds: testOf(term),
      }))
      let found = 0
      for (const [read, at] of this.#inOrder(order, by.join('\n')).entries()) {
        if (tests.every(({ column, holds }) => holds(column[at]!))) found++
        if (found === wanted) return (read + 1) / this.#sampled
      }
      return 1
    })
  }

  /** Places of the sampled rows in the order of keys; NULL comes first, as on SQLite. */
  #inOrder(order: readonly SortKey[], id: string): readonly number[] {
    const known = this.#orders.get(id)
    if (known !== undefined) return known
    const columns = order.map(({ key, descending }) => ({
      column: this.#columns.get(keyText(key))!,
      sign: descending ? -1 : 1,
    }))
    const places = Array.from({ length: this.#sampled }, (_, at) => at).toSorted((a, b) => {
      for (const { column, sign } of columns) {
        const by = compareNullable(column[a] ?? null, column[b] ?? null)
        if (by !== 0) return by * sign
      }
      return this.#places[a]! - this.#places[b]!
    })
    this.#orders.set(id, places)
    return places
  }

  #once(id: string, make: () => number): number {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const value = make()
    this.#known.set(id, value)
    return value
  }

  #measure(terms: readonly Term[], isWorst: boolean): number {
    const known = terms.filter((term) => isKnown(term) && this.has(term.key))
    const unknown = terms.filter((term) => !isKnown(term) && term.kind !== 'other')
    let fraction = this.#matching(known)
    const equal = uniqueKeys(unknown.filter(({ kind }) => kind === 'equals'))
    if (equal.length > 0) fraction *= isWorst ? this.topShare(equal) : 1 / this.distinct(equal)
    for (const { key, count } of unknown.filter(({ kind }) => kind === 'among'))
      fraction *= Math.min(1, count * (isWorst ? this.topShare([key]) : 1 / this.distinct([key])))
    const ranged = unknown.filter(({ kind }) => kind === 'range')
    // As PostgreSQL assumes of a range that it knows nothing of: DEFAULT_RANGE_INEQ_SEL and DEFAULT_INEQ_SEL.
    for (const key of uniqueKeys(ranged))
      fraction *=
        ranged.filter((term) => keyText(term.key) === keyText(key)).length > 1 ? 0.05 : 0.33
    return Math.min(1, Math.max(fraction, 1 / Math.max(1, this.rows)))
  }

  #matching(terms: readonly Term[]): number {
    if (terms.length === 0) return 1
    if (this.#sampled === 0) return 1
    const tests = terms.map((term) => ({
      column: this.#columns.get(keyText(term.key))!,
      holds: testOf(term),
    }))
    let matches = 0
    for (let at = 0; at < this.#sampled; at++)
      if (tests.every(({ column, holds }) => holds(column[at]!))) matches++
    // So few are chance: the average of all values says more.
    const equal = terms.filter(({ kind }) => kind === 'equals')
    if (matches < 5 && equal.length > 0 && this.#sampled < this.rows) {
      const average = 1 / this.distinct(uniqueKeys(equal))
      return matches === 0
        ? Math.min(average, 0.5 / this.#sampled)
        : Math.min(average, (matches + 1) / this.#sampled)
    }
    return matches === 0 ? 0.5 / this.#sampled : matches / this.#sampled
  }

  #counts(texts: readonly string[]): ReadonlyMap<Comparable, number> {
    const columns = texts.map((each) => this.#columns.get(each) ?? [])
    const counts = new Map<Comparable, number>()
    for (let at = 0; at < this.#sampled; at++) {
      const value =
        columns.length === 1
          ? (columns[0]![at] ?? null)
          : columns.map((column) => column[at] ?? '\0').join('\u0001')
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    return counts
  }

  #share(key: Expression, holds: (value: Comparable) => boolean): number {
    const column = this.#columns.get(keyText(key)) ?? []
    return column.length === 0 ? 0 : column.filter(holds).length / column.length
  }

  #id(term: Term): number {
    const known = this.#ids.get(term)
    if (known !== undefined) return known
    this.#terms++
    this.#ids.set(term, this.#terms)
    return this.#terms
  }
}

/** As SQLite keeps it: https://www.sqlite.org/fileformat2.html#record_format */
function bytesOf(value: Comparable): number {
  if (value === null) return 1
  if (typeof value === 'string') return value.length + 1
  if (!Number.isInteger(value)) return 9
  const size = Math.abs(value)
  if (size <= 1) return 1
  return size < 2 ** 7 ? 2 : size < 2 ** 15 ? 3 : size < 2 ** 23 ? 4 : size < 2 ** 31 ? 5 : 8
}

function isKnown({ kind, values, join }: Term): boolean {
  if (kind === 'isNull' || kind === 'isNotNull') return true
  return join === undefined && values !== undefined && kind !== 'other'
}

function uniqueKeys(terms: readonly Term[]): readonly Expression[] {
  return [...new Map(terms.map(({ key }) => [keyText(key), key])).values()]
}

function testOf({ kind, operator, values = [] }: Term): (value: Comparable) => boolean {
  const wanted = values.map(comparable)
  const [first = null] = wanted
  switch (kind) {
    case 'isNull':
      return (value) => value === null
    case 'isNotNull':
      return (value) => value !== null
    case 'equals':
      return (value) => isEqual(value, first)
    case 'among':
      return (value) => wanted.some((each) => isEqual(value, each))
    case 'range': {
      if (first === null) return () => false
      const isUpper = operator.startsWith('<')
      const takesEqual = operator.endsWith('=')
      return (value) => {
        if (value === null) return false
        const order = compare(value, first)
        return order === 0 ? takesEqual : isUpper ? order < 0 : order > 0
      }
    }
    default:
      return () => true
  }
}

/** What the drivers make of a value differs (1, 1n, '1', true): values that an engine takes for equal become equal. */
function comparable(value: unknown): Comparable {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (value instanceof Uint8Array)
    return Buffer.from(value.subarray(0, 32)).toString('hex').toUpperCase()
  if (typeof value === 'object') return JSON.stringify(value)
  const text = typeof value === 'string' ? value : ''
  if (text === 'true') return 1
  if (text === 'false') return 0
  if (/^-?(?!0\d)\d{1,15}(?:\.\d{1,15})?$/.test(text)) return Number(text)
  return text.length > 256 ? text.slice(0, 256) : text
}

function isEqual(a: Comparable, b: Comparable): boolean {
  if (a === null || b === null) return false
  return a === b || (typeof a !== typeof b && String(a) === String(b))
}

/** NULL comes first, as on SQLite. */
function compareNullable(a: Comparable, b: Comparable): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  return compare(a, b)
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0
  const [x, y] = [Number(a), Number(b)]
  return Number.isNaN(x) || Number.isNaN(y) ? (String(a) < String(b) ? -1 : 1) : x - y
}
