import { SchemaError } from '../../errors.ts'
import type { NotEnforced, TableDefinition } from '../../ir/table-definition.ts'
import type { Field } from '../field.ts'
import { tableOfFields } from '../table-of-fields.ts'
import { zodField } from './zod-field.ts'
import { metadataOf, type Side, type ZodNode, zodNode } from './zod-node.ts'

/** What was read of a zod object: the table, and which field has become which column. */
export interface ZodTable {
  readonly table: TableDefinition
  readonly fields: readonly Field[]
}

/**
 * Reads an object of zod 4 or zod/mini.
 *
 * @param options `io`: whether what parsing takes or what it gives is stored; `schema`: of the database
 * @throws {SchemaError}
 */
export function readZod(
  name: string,
  schema: unknown,
  options: { readonly io: Side; readonly schema?: string | undefined },
): ZodTable {
  const { object, notEnforced } = unwrap(zodNode(schema, name), name)
  const fields = Object.entries(object._zod.def.shape!).map(([field, node]) =>
    zodField(name, field, node, options.io),
  )
  const { description, db } = metadataOf(schema as ZodNode) ?? {}
  if (db !== undefined) {
    throw new SchemaError(
      'INVALID_META',
      name,
      undefined,
      `\`db\` of ${name} stands on the object, and is about a column. Declare what is about the table in defineTable().`,
    )
  }
  const table = tableOfFields(
    {
      name,
      schema: options.schema,
      description: typeof description === 'string' ? description : undefined,
      notEnforced,
    },
    fields,
  )
  return { table, fields }
}

/** The object inside of what may be around it. */
function unwrap(
  outer: ZodNode,
  table: string,
): { readonly object: ZodNode; readonly notEnforced: readonly NotEnforced[] } {
  const notEnforced: NotEnforced[] = []
  const seen = new Set<ZodNode>()
  let node = outer
  while (!seen.has(node)) {
    seen.add(node)
    const { def } = node._zod
    for (const { _zod } of def.checks ?? []) {
      const what = _zod.def.check === 'custom' ? 'refine()' : _zod.def.check
      notEnforced.push({ column: '*', what, why: 'it is a function' })
    }
    if (def.type === 'object') return { object: node, notEnforced }
    if (def.type === 'lazy') node = zodNode(def.getter!(), table)
    else if (def.type === 'readonly') node = zodNode(def.innerType, table)
    else break
  }
  throw new SchemaError(
    'NOT_A_SCHEMA',
    table,
    undefined,
    `The schema of ${table} is a ${node._zod.def.type}, and a table is made of an object. Pass what z.object() returns.`,
  )
}
