import { DuckDBTypeId } from '@duckdb/node-api'

/** The least and the greatest integer of an integer type; undefined for other types, and for BIGNUM, which has none. */
export function integerRange(
  typeId: DuckDBTypeId,
): readonly [least: bigint, greatest: bigint] | undefined {
  switch (typeId) {
    case DuckDBTypeId.TINYINT:
      return [-0x80n, 0x7fn]
    case DuckDBTypeId.SMALLINT:
      return [-0x8000n, 0x7fffn]
    case DuckDBTypeId.INTEGER:
      return [-0x80000000n, 0x7fffffffn]
    case DuckDBTypeId.BIGINT:
      return [-0x8000000000000000n, 0x7fffffffffffffffn]
    case DuckDBTypeId.HUGEINT:
      return [-(2n ** 127n), 2n ** 127n - 1n]
    case DuckDBTypeId.UTINYINT:
      return [0n, 0xffn]
    case DuckDBTypeId.USMALLINT:
      return [0n, 0xffffn]
    case DuckDBTypeId.UINTEGER:
      return [0n, 0xffffffffn]
    case DuckDBTypeId.UBIGINT:
      return [0n, 0xffffffffffffffffn]
    case DuckDBTypeId.UHUGEINT:
      return [0n, 2n ** 128n - 1n]
    default:
      return undefined
  }
}
