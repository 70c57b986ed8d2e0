import { DefinitionError } from '../errors.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { PortableType } from '../ir/portable-type.ts'

/** Refuses a type that no value can have, or that an engine would take for another. */
export function checkType({ name, type }: ColumnDefinition): void {
  const wrong = faultOf(type)
  if (wrong === undefined) return
  throw new DefinitionError(`Column ${JSON.stringify(name)} cannot have its type: ${wrong}.`)
}

/** What every engine can keep exactly. */
export function isDecimalSize(precision: number, scale: number): boolean {
  return (
    Number.isInteger(precision) &&
    Number.isInteger(scale) &&
    precision >= 1 &&
    precision <= 38 &&
    scale >= 0 &&
    scale <= precision
  )
}

function faultOf(type: PortableType): string | undefined {
  switch (type.kind) {
    case 'array':
      return (type.of as PortableType).kind === 'array'
        ? 'an array holds values of one scalar type; use `json` for arrays of arrays'
        : faultOf(type.of)
    case 'enum':
      if (type.values.length === 0) return 'an enum has at least one value'
      return new Set(type.values).size < type.values.length
        ? 'an enum has each of its values once'
        : undefined
    case 'decimal': {
      const { precision, scale } = type
      return isDecimalSize(precision, scale)
        ? undefined
        : `a decimal has a precision of 1 to 38 and a scale of 0 to its precision, not (${precision}, ${scale})`
    }
    case 'string': {
      const { maxLength } = type
      return maxLength === undefined || (Number.isSafeInteger(maxLength) && maxLength >= 0)
        ? undefined
        : `\`maxLength\` is a whole number from 0, not ${maxLength}`
    }
    case 'int32':
    case 'integer':
    case 'bigint':
    case 'number':
    case 'boolean':
    case 'date':
    case 'datetime':
    case 'uuid':
    case 'json':
    case 'blob':
      return undefined
    default:
      return `there is no type ${JSON.stringify((type as PortableType).kind)}`
  }
}
