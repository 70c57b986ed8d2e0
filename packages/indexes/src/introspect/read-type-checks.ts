import type { EngineName } from '@keelson/core'
import type { PortableType } from '../ir/portable-type.ts'
import { typeCheckName } from '../names/constraint-name.ts'
import { canonicalSql } from '../sql/canonical-sql.ts'
import { dialects } from '../sql/dialects.ts'
import { readTypeWords } from '../sql/type-words.ts'
import type { LiveCheck, LiveColumn, LiveTable } from './live-table.ts'
import { parseSql } from './parse-sql.ts'
import type { SqlNode } from './sql-node.ts'

/**
 * Tells the CHECKs that belong to the types of columns from the others. One belongs to a type when it is, word for word,
 * what would be printed for it, on a column of the type that would be printed.
 */
export function readTypeChecks(
  table: LiveTable,
  engine: EngineName,
): {
  readonly types: ReadonlyMap<string, PortableType>
  readonly rest: readonly LiveCheck[]
} {
  const types = new Map<string, PortableType>()
  const columns = new Map(table.columns.map((column) => [column.name, column]))
  const rest = table.checks.filter((check) => {
    const found = readTypeCheck(check, columns, engine)
    if (found === undefined || types.has(found.column)) return true
    types.set(found.column, found.type)
    return false
  })
  return { types, rest }
}

/** By their names. */
type LiveColumns = ReadonlyMap<string, LiveColumn>

interface TypeCheck {
  readonly column: string
  readonly type: PortableType
}

function readTypeCheck(
  check: LiveCheck,
  columns: LiveColumns,
  engine: EngineName,
): TypeCheck | undefined {
  const dialect = dialects[engine]
  if (dialect.constraintNames && check.name === undefined) return undefined
  return candidates(check, columns, engine).find(({ column, type }) => {
    const live = columns.get(column)
    const expected = dialect.typeCheck(column, type)
    return (
      live !== undefined &&
      expected !== undefined &&
      dialect.nativeSpelling(live.native) === dialect.nativeSpelling(dialect.typeSql(type)) &&
      (!dialect.constraintNames ||
        typeCheckName({ name: column, type, nullable: true }, engine) === check.name) &&
      (expected === check.expression ||
        canonicalSql(expected, engine) === canonicalSql(check.expression, engine))
    )
  })
}

function candidates(
  check: LiveCheck,
  columns: LiveColumns,
  engine: EngineName,
): readonly TypeCheck[] {
  const { name } = check
  if (name === undefined) return spelledType(parseSql(check.expression, engine))
  const read: TypeCheck[] = []
  // A column's name may have a colon, too.
  for (let at = name.indexOf(': '); at !== -1; at = name.indexOf(': ', at + 1)) {
    const column = name.slice(0, at)
    const type = columns.has(column) ? typeFromWords(name.slice(at + 2), check, engine) : undefined
    if (type !== undefined) read.push({ column, type })
  }
  // A name that was too long is cut before the colon, and a hash says so.
  if (read.length > 0 || !/~[^]*: /.test(name)) return read
  const type = typeFromWords(name.slice(name.lastIndexOf(': ') + 2), check, engine)
  return type === undefined ? [] : Array.from(columns.keys(), (column) => ({ column, type }))
}

function typeFromWords(
  words: string,
  check: LiveCheck,
  engine: EngineName,
): PortableType | undefined {
  if (words === 'array of enum') {
    const node = parseSql(check.expression, engine)
    const values = node?.kind === 'binary' ? textsOf(uncast(node.right)) : undefined
    return values && { kind: 'array', of: { kind: 'enum', values } }
  }
  const type = readTypeWords(words)
  if (type !== 'enum') return type
  const node = parseSql(check.expression, engine)
  const values =
    node?.kind === 'in'
      ? texts(node.values)
      : node?.kind === 'binary'
        ? texts([node.right])
        : undefined
  return values && { kind: 'enum', values }
}

/** The types that DuckDB's spelling alone tells: see `typeCheck` there. */
function spelledType(node: SqlNode | undefined): readonly TypeCheck[] {
  if (node?.kind === 'binary' && node.operator === '<=' && node.right.kind === 'number') {
    const call = node.left
    if (call.kind !== 'call' || call.function !== 'len') return []
    const [column] = call.arguments
    const maxLength = Number(node.right.digits)
    return column?.kind === 'name'
      ? [{ column: column.name, type: { kind: 'string', maxLength } }]
      : []
  }
  if (node?.kind !== 'call') return []
  const [list, column] = node.arguments
  const values = list && textsOf(list)
  if (values === undefined || column?.kind !== 'name') return []
  const of: PortableType = { kind: 'enum', values }
  if (node.function === 'list_contains') return [{ column: column.name, type: of }]
  return node.function === 'list_has_all'
    ? [{ column: column.name, type: { kind: 'array', of } }]
    : []
}

function textsOf(node: SqlNode): readonly string[] | undefined {
  return node.kind === 'list' ? texts(node.items) : undefined
}

function texts(nodes: readonly SqlNode[]): readonly string[] | undefined {
  const found = nodes.map((node) => {
    const inside = uncast(node)
    return inside.kind === 'text' ? inside.text : undefined
  })
  return found.every((text) => text !== undefined) ? found : undefined
}

function uncast(node: SqlNode): SqlNode {
  return node.kind === 'cast' ? uncast(node.operand) : node
}
