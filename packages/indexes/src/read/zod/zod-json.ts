import { SchemaError } from '../../errors.ts'
import { metadataOf, type Where, type ZodDef, type ZodNode } from './zod-node.ts'

/**
 * Refuses what a JSON column would lose, or what would be ignored inside of one.
 *
 * @throws {SchemaError}
 */
export function checkJson(node: ZodNode, where: Where): void {
  check(node, where, [], new Set())
}

function check(node: ZodNode, where: Where, path: readonly string[], seen: Set<ZodNode>): void {
  if (seen.has(node)) return
  seen.add(node)
  const { def } = node._zod
  const at = [where.field, ...path].join('.')
  if (path.length > 0 && metadataOf(node)?.['db'] !== undefined) {
    throw new SchemaError(
      'INVALID_META',
      where.table,
      where.field,
      `\`db\` of ${where.table}.${at} has nothing to be about: ${where.table}.${where.field} is one JSON column. ` +
        `For an index over the value use index(json(columns.${where.field}, ...)) in defineTable().`,
    )
  }
  const instead = notJson[def.type]
  if (instead !== undefined) {
    throw new SchemaError(
      'UNSUPPORTED_TYPE',
      where.table,
      where.field,
      `${where.table}.${at} is a ${def.type}, which JSON cannot hold. ${instead}.`,
    )
  }
  for (const [key, inner] of insideOf(def, where)) {
    check(inner, where, key === undefined ? path : [...path, key], seen)
  }
}

const notJson: Readonly<Record<string, string>> = {
  bigint: 'Use z.string(), or z.int() where it suffices',
  map: 'Use z.record()',
  set: 'Use z.array()',
  symbol: 'Leave it out',
  function: 'Leave it out',
  promise: 'Await it first',
  file: 'Store its bytes in a column of their own',
  nan: 'Use null',
}

function* insideOf(def: ZodDef, where: Where): Generator<[string | undefined, ZodNode]> {
  if (def.shape !== undefined) yield* Object.entries(def.shape)
  if (def.catchall !== undefined) yield ['*', def.catchall]
  if (def.valueType !== undefined) yield ['*', def.valueType]
  if (def.element !== undefined) yield ['*', def.element]
  if (def.items !== undefined)
    yield* def.items.map((item, index) => [String(index), item] as [string, ZodNode])
  if (def.rest !== undefined && def.rest !== null) yield ['*', def.rest]
  for (const option of def.options ?? []) yield [undefined, option]
  for (const node of [def.innerType, def.left, def.right])
    if (node !== undefined) yield [undefined, node]
  const stored = where.side === 'output' ? def.out : def.in
  if (stored !== undefined) yield [undefined, stored]
  if (def.getter !== undefined) yield [undefined, def.getter()]
}
