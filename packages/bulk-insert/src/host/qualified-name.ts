import { type EngineName, quoteIdentifier } from '@keelson/core'
import type { Target } from './target.ts'

/** A table with its schema, where it has one, as statements name it. */
export function qualifiedName(
  { schema, table }: Pick<Target, 'schema' | 'table'>,
  engine: EngineName,
): string {
  const name = quoteIdentifier(table, engine)
  return schema === undefined ? name : `${quoteIdentifier(schema, engine)}.${name}`
}
