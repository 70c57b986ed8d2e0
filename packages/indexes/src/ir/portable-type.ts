/**
 * What a column holds, in terms of no engine. How each engine stores it, and what is read back, is the table in
 * `sql/`; a column that needs another type on one engine says so in its `override`.
 */
export type PortableType = ScalarType | ArrayType

/** A type whose values may stand in an array. */
export type ScalarType =
  | StringType
  | DecimalType
  | EnumType
  | {
      readonly kind:
        | 'int32'
        | 'integer'
        | 'bigint'
        | 'number'
        | 'boolean'
        | 'date'
        | 'datetime'
        | 'uuid'
        | 'json'
        | 'blob'
    }

/** Text. */
export interface StringType {
  readonly kind: 'string'
  /** The most characters (code points) of a value. */
  readonly maxLength?: number
}

/** An exact number, as a string in JavaScript. */
export interface DecimalType {
  readonly kind: 'decimal'
  /** Digits in all, 1 to 38. */
  readonly precision: number
  /** Digits after the point, 0 to `precision`. */
  readonly scale: number
}

/** One of the given texts. */
export interface EnumType {
  readonly kind: 'enum'
  readonly values: readonly string[]
}

/** A list of values of one type. */
export interface ArrayType {
  readonly kind: 'array'
  readonly of: ScalarType
}

/**
 * Names of the types:
 *
 * - `string`: text; `uuid`: 36 characters; `enum`: one of the given texts
 * - `int32`: -2^31 to 2^31-1; `integer`: the whole numbers that a JavaScript number holds exactly; `bigint`: 64 bits
 * - `number`: a double; `decimal`: exact, a string in JavaScript
 * - `date`: `YYYY-MM-DD`; `datetime`: a moment, in UTC, to the millisecond
 * - `json`: any JSON; `array`: a list of one scalar type; `blob`: bytes
 */
export type PortableKind = PortableType['kind']
