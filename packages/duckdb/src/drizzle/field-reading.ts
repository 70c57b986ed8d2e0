import {
  decoderOf,
  exactNumber,
  isIdentity,
  type FieldDecoder,
  RowMappers,
  type Selected,
} from '@keelson/core/drizzle'
import { Column, is } from 'drizzle-orm'
import { PgCustomColumn } from 'drizzle-orm/pg-core'
import type { ExecuteOptions, ValuePolicies } from '../contract.ts'
import {
  columnDecoder,
  type Decode,
  elementOf,
  textKindOf,
  type TextKind,
  wantsBigints,
} from './column-decoder.ts'
import { PgArray } from './internals.ts'

/** How the rows of a selection are read from the database, and what makes results of them. */
export interface SelectionReading {
  /** Frozen, and the same object for selections that are read alike. */
  readonly options: ExecuteOptions
  readonly mappers: RowMappers
}

/**
 * Decides how the rows of selections are read. A column's decoder wants its values in one form: a `json()` column wants
 * text, which it parses. What has no column (`sql`, `customType()`) is read as the database's options say.
 */
export class FieldReadings {
  readonly #policies: ValuePolicies
  readonly #mappers: RowMappers
  readonly #bigintMappers: RowMappers
  readonly #options = new Map<string, ExecuteOptions>()

  constructor(policies: ValuePolicies) {
    this.#policies = policies
    this.#mappers = new RowMappers((selected) => this.#decoder(selected, false))
    this.#bigintMappers = new RowMappers((selected) => this.#decoder(selected, true))
  }

  for(fields: readonly Selected[]): SelectionReading {
    const demands = fields.map(({ field }) => this.#demandOf(field))
    const readsBigints = this.#policies.int64 === 'bigint' || fields.some(needsBigints)
    return {
      options: this.#optionsFor(demands, readsBigints && this.#policies.int64 !== 'bigint'),
      mappers: readsBigints ? this.#bigintMappers : this.#mappers,
    }
  }

  /** Whether the database's options deliver a kind of values otherwise than as text. */
  isReshaped(kind: TextKind): boolean {
    const policies = this.#policies
    if (policies[kind] !== 'string') return true
    return (kind === 'timestamp' || kind === 'date') && policies.infinity !== 'string'
  }

  /** What decodes a value of a field; undefined where it is the result. Bigints are expected where there can be any. */
  decodeWithBigints(selected: Selected): Decode | undefined {
    const decoder = this.#decoder(selected, true)
    return decoder && ((value) => decoder.mapFromDriverValue(value))
  }

  readonly #decoder = (
    { field, path }: Selected,
    hasBigints: boolean,
  ): ReturnType<FieldDecoder> => {
    const decoder = decoderOf(field)
    const { int64 } = this.#policies
    const decode = decodeOf(decoder, this.#policies)
    const converts = hasBigints && int64 !== 'bigint' && isOfNoColumn(decoder)
    if (!converts || takesBigints(decoder)) return decode && { mapFromDriverValue: decode }
    const name = is(field, Column) ? field.name : path.join('.')
    return {
      mapFromDriverValue: (value) => {
        const converted = this.#converted(value, name)
        return decode === undefined ? converted : decode(converted)
      },
    }
  }

  /** Applies the `int64` policy, which the database has not, to a value and whatever is in it. */
  #converted(value: unknown, name: string): unknown {
    if (typeof value === 'bigint') {
      const { int64 } = this.#policies
      if (int64 === 'string') return value.toString()
      return int64 === 'lossyNumber' ? Number(value) : exactNumber(value, name)
    }
    if (Array.isArray(value)) return value.map((element) => this.#converted(element, name))
    if (typeof value !== 'object' || value === null) return value
    if (Object.getPrototypeOf(value) !== Object.prototype) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, this.#converted(inner, name)]),
    )
  }

  /** The kind that a field wants as text and would not get as such; `'any'` for one that takes what it gets. */
  #demandOf(field: Selected['field']): TextKind | 'any' | undefined {
    const decoder = decoderOf(field)
    if (isOfNoColumn(decoder)) return 'any'
    const kind = textKindOf(decoder)
    return kind !== undefined && this.isReshaped(kind) ? kind : undefined
  }

  #optionsFor(
    demands: readonly (TextKind | 'any' | undefined)[],
    readsBigints: boolean,
  ): ExecuteOptions {
    const kinds = new Set(demands.filter((demand) => demand !== undefined && demand !== 'any'))
    const isMixed = kinds.size > 0 && demands.includes('any')
    const key = `${readsBigints} ${(isMixed ? demands : [...kinds].toSorted()).join()}`
    let options = this.#options.get(key)
    if (options === undefined) {
      const int64 = readsBigints ? ({ int64: 'bigint' } as const) : undefined
      const values = isMixed
        ? Object.freeze(demands.map((demand) => asText(demand === 'any' ? [] : [demand], int64)))
        : asText(kinds, int64)
      options = Object.freeze({ rows: 'arrays', values } as ExecuteOptions)
      if (this.#options.size >= maxOptions) this.#options.clear()
      this.#options.set(key, options)
    }
    return options
  }
}

/** An application selects in far fewer mixtures. */
const maxOptions = 1_000

function asText(
  kinds: Iterable<TextKind | undefined>,
  int64: Pick<ValuePolicies, 'int64'> | undefined,
): Partial<ValuePolicies> {
  const values: { -readonly [K in keyof ValuePolicies]?: ValuePolicies[K] } = { ...int64 }
  for (const kind of kinds) {
    if (kind === undefined) continue
    values[kind] = 'string'
    if (kind === 'timestamp' || kind === 'date') values.infinity = 'string'
  }
  return Object.freeze(values)
}

function needsBigints({ field }: Selected): boolean {
  const decoder = decoderOf(field)
  return is(decoder, Column) ? wantsBigints(decoder) : takesBigints(decoder)
}

type Decoder = ReturnType<typeof decoderOf>

function decodeOf(decoder: Decoder, policies: ValuePolicies): Decode | undefined {
  if (!is(decoder, Column))
    return isIdentity(decoder) ? undefined : (value) => decoder.mapFromDriverValue(value)
  const isAsItComes =
    isIdentity(decoder) && decoder.dataType !== 'number' && decoder.dataType !== 'array'
  return isAsItComes ? undefined : columnDecoder(decoder, policies)
}

/** What has no column of Drizzle's own, and so is delivered as the database's options say. */
function isOfNoColumn(decoder: Decoder): decoder is Exclude<Decoder, Column> {
  if (!is(decoder, Column)) return true
  return is(is(decoder, PgArray) ? elementOf(decoder) : decoder, PgCustomColumn)
}

/** `sum()`, `avg()`, `max()` and `min()` of Drizzle end in a text, which need not be one of a number. */
function takesBigints({ mapFromDriverValue }: { readonly mapFromDriverValue: unknown }): boolean {
  return mapFromDriverValue === String || mapFromDriverValue === BigInt
}
