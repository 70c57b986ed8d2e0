import {
  DuckDBArrayType,
  DuckDBListType,
  DuckDBListVector,
  DuckDBMapType,
  DuckDBStructType,
  DuckDBStructVector,
  type DuckDBType,
  DuckDBUnionType,
  DuckDBUTinyIntType,
  DuckDBVector,
} from '@duckdb/node-api'
import { structOf } from './struct-value.ts'
import { type Cell, nullable, validityOf } from './vector-storage.ts'

/** The reader of the rows of a child. */
type Open = (vector: DuckDBVector, type: DuckDBType) => Cell

/**
 * LIST, ARRAY, STRUCT, MAP and UNION. The client copies the children of each row, and loses fields called `__proto__`
 * and all but one field of a struct without names; so the children are read where they are.
 *
 * @returns undefined where the client keeps them differently
 */
export function nestedCell(vector: DuckDBVector, type: DuckDBType, open: Open): Cell | undefined {
  if (type instanceof DuckDBListType) return listCell(vector, type.valueType, open)
  if (type instanceof DuckDBArrayType) return arrayCell(vector, type, open)
  if (type instanceof DuckDBStructType) return structCell(vector, type, open)
  if (type instanceof DuckDBMapType) return mapCell(vector, type, open)
  if (type instanceof DuckDBUnionType) return unionCell(vector, type, open)
  return undefined
}

/** Private to the client's vectors, and free to change: each is looked at before it is used. */
interface Children {
  readonly childData?: unknown
  readonly listVector?: unknown
  readonly structVector?: unknown
}

function listCell(vector: unknown, itemType: DuckDBType, open: Open): Cell | undefined {
  if (!(vector instanceof DuckDBListVector)) return undefined
  const validity = validityOf(vector)
  if (validity === undefined) return undefined
  const item = open(vector.childVector, itemType)
  return nullable(validity, (index) =>
    items(item, vector.getEntryOffset(index), vector.getEntryLength(index)),
  )
}

function arrayCell(vector: DuckDBVector, type: DuckDBArrayType, open: Open): Cell | undefined {
  const { childData } = vector as unknown as Children
  const validity = validityOf(vector)
  if (!(childData instanceof DuckDBVector) || validity === undefined) return undefined
  const { length } = type
  const item = open(childData, type.valueType)
  return nullable(validity, (index) => items(item, index * length, length))
}

function items(item: Cell, start: number, length: number): unknown[] {
  const values: unknown[] = []
  for (let index = start; index < start + length; index++) values.push(item(index))
  return values
}

function structCell(vector: unknown, type: DuckDBStructType, open: Open): Cell | undefined {
  const fields = fieldCells(vector, type.entryTypes, open)
  if (fields === undefined) return undefined
  const struct = structOf(type.entryNames)
  return nullable(fields.validity, (index) => struct((field) => fields.cells[field]!(index)))
}

/** A MAP is a list of structs of a key and a value. */
function mapCell(vector: DuckDBVector, type: DuckDBMapType, open: Open): Cell | undefined {
  const { listVector } = vector as unknown as Children
  const entry = new DuckDBStructType(['key', 'value'], [type.keyType, type.valueType])
  return listCell(listVector, entry, open)
}

/** A UNION is a struct of the tag's position and all members, of which one is set. */
function unionCell(vector: DuckDBVector, type: DuckDBUnionType, open: Open): Cell | undefined {
  const { structVector } = vector as unknown as Children
  const types = [DuckDBUTinyIntType.instance, ...type.memberTypes]
  const fields = fieldCells(structVector, types, open)
  if (fields === undefined) return undefined
  const [position, ...members] = fields.cells
  return nullable(fields.validity, (index) => {
    const at = position!(index)
    if (typeof at !== 'number') return null
    return { tag: type.memberTags[at], value: members[at]!(index) }
  })
}

function fieldCells(
  vector: unknown,
  types: readonly DuckDBType[],
  open: Open,
): { readonly validity: Uint8Array | null; readonly cells: readonly Cell[] } | undefined {
  if (!(vector instanceof DuckDBStructVector)) return undefined
  const validity = validityOf(vector)
  if (validity === undefined) return undefined
  return { validity, cells: types.map((type, index) => open(vector.entryVectorAt(index), type)) }
}
