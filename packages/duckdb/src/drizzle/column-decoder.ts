import { exactNumber } from '@keelson/core/drizzle'
import { type Column, is } from 'drizzle-orm'
import {
  type PgArray as PgArrayColumn,
  PgBigInt64,
  PgBigSerial64,
  PgDate,
  PgDateString,
  PgInterval,
  PgJson,
  PgJsonb,
  PgNumeric,
  PgNumericBigInt,
  PgNumericNumber,
  PgTime,
  PgTimestamp,
  PgTimestampString,
} from 'drizzle-orm/pg-core'
import type { ValuePolicies } from '../contract.ts'
import { jsonValue } from '../values/read/json-value.ts'
import { Reading } from '../values/read/reading.ts'
import { dateOfText } from './date-text.ts'
import { PgArray } from './internals.ts'

/** The kinds of values that a column's decoder wants as text, whatever the database's options say. */
export type TextKind = Exclude<keyof ValuePolicies, 'int64' | 'infinity'>

/** Turns a value of a column, never null, into what the column's type says. */
export type Decode = (value: unknown) => unknown

/** The column of what is in the innermost array. */
export function elementOf(column: Column): Column {
  return is(column, PgArray) ? elementOf(column.baseColumn) : column
}

/** How many arrays are around its values. */
export function arrayDepthOf(column: Column): number {
  return is(column, PgArray) ? 1 + arrayDepthOf(column.baseColumn) : 0
}

/** As what the values have to arrive; undefined where that is of no consequence. */
export function textKindOf(ofArray: Column): TextKind | undefined {
  const column = elementOf(ofArray)
  if (is(column, PgTimestamp) || is(column, PgTimestampString)) return 'timestamp'
  if (is(column, PgDate) || is(column, PgDateString)) return 'date'
  if (is(column, PgTime)) return 'time'
  if (is(column, PgInterval)) return 'interval'
  if (is(column, PgJson) || is(column, PgJsonb)) return 'json'
  return is(column, PgNumeric) || is(column, PgNumericBigInt) ? 'decimal' : undefined
}

/** Whether its 64-bit integers have to arrive as bigints. */
export function wantsBigints(ofArray: Column): boolean {
  const column = elementOf(ofArray)
  return is(column, PgBigInt64) || is(column, PgBigSerial64) || is(column, PgNumericBigInt)
}

/**
 * Drizzle's decoder of a column, where it would lose nothing of what DuckDB delivers; else one that does the same
 * without the loss. https://orm.drizzle.team/docs/column-types/pg
 *
 * @param policies of the database; `int64` says what becomes of an integer that a number would round
 */
export function columnDecoder(column: Column, policies: ValuePolicies): Decode {
  if (is(column, PgArray)) return arrayDecoder(column, policies)
  const { name } = column
  const drizzles: Decode = (value) => column.mapFromDriverValue(value)
  if (is(column, PgTimestamp) || is(column, PgDate)) {
    return (value) => (typeof value === 'string' && dateOfText(value, name)) || drizzles(value)
  }
  if (is(column, PgJson) || is(column, PgJsonb)) {
    const reading = new Reading(name, policies)
    return (value) => (typeof value === 'string' ? jsonValue(value, reading) : value)
  }
  if (is(column, PgNumericBigInt)) {
    // A DECIMAL has the digits of its scale, though they be zeros.
    return (value) => drizzles(typeof value === 'string' ? value.replace(/\.0+$/, '') : value)
  }
  if (is(column, PgNumericNumber)) return Number
  if (column.dataType === 'number') {
    const number = policies.int64 === 'lossyNumber' ? lossyNumber : exactNumber
    return (value) =>
      typeof value === 'number'
        ? value
        : drizzles(number(isFraction(value) ? Number(value) : value, name))
  }
  // A vector may well be a list of DuckDB's, which needs no decoding.
  if (column.dataType === 'array')
    return (value) => (Array.isArray(value) ? value : drizzles(value))
  return drizzles
}

function arrayDecoder(column: PgArrayColumn<any, any>, policies: ValuePolicies): Decode {
  const decode = columnDecoder(column.baseColumn, policies)
  // Drizzle hands the base column its nulls, which most cannot decode.
  return (value) =>
    Array.isArray(value)
      ? value.map((element) => (element === null ? null : decode(element)))
      : column.mapFromDriverValue(value as string)
}

function lossyNumber(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}

/** A DECIMAL with a fraction, of which some decoders would take what stands before the point. */
function isFraction(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d+\.\d+$/.test(value)
}
