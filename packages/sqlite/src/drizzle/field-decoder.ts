import { decoderOf, exactNumber, isIdentity, type FieldDecoder } from '@keelson/core/drizzle'
import { Column, is } from 'drizzle-orm'
import type { Int64Policy } from '../contract.ts'

/**
 * What the values of a field are decoded by under an `int64` policy: under `'bigint'` and `'string'` some columns still
 * have to get a number.
 */
export function fieldDecoder(int64: Int64Policy): FieldDecoder {
  const convertsIntegers = int64 === 'bigint' || int64 === 'string'
  return ({ field }) => {
    const decoder = decoderOf(field)
    if (convertsIntegers && is(decoder, Column) && arrivesAsNumber(decoder)) {
      const { name } = decoder
      return {
        mapFromDriverValue: (value) => decoder.mapFromDriverValue(exactNumber(value, name)),
      }
    }
    return isIdentity(decoder) ? undefined : decoder
  }
}

/** These columns' decoders compute with numbers, and fail or lie when they get a bigint or a string. */
export function arrivesAsNumber({ dataType }: Column): boolean {
  return dataType === 'number' || dataType === 'date' || dataType === 'boolean'
}
