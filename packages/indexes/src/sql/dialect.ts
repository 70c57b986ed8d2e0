import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { FunctionCall, JsonPath } from '../ir/expression.ts'
import type { PortableKind, PortableType } from '../ir/portable-type.ts'

/** How an engine writes tables and indexes: what differs, as data where it is data. */
export interface SqlDialect {
  readonly engine: EngineName

  /** The type as it stands in a CREATE TABLE. */
  typeSql(type: PortableType): string

  /** What the engine's type does not say of the portable one, as a condition on the column. */
  typeCheck(column: string, type: PortableType): string | undefined

  /** How the constraint with that condition is called, after the column and a colon. Engines that keep no names: undefined. */
  typeCheckLabel(type: PortableType): string | undefined

  /** What becomes of a type that is created and read back, where the engine keeps less of it. */
  kept(type: PortableType): PortableType

  /** The portable type that is nearest to one of the engine's. */
  nearest(native: string): PortableType

  /** One spelling for all of the engine's names of a type. */
  nativeSpelling(native: string): string

  readonly decimalsAsText: boolean

  /** Whether a DEFAULT of the type has to stand in parentheses even when it is a constant. */
  defaultInParentheses(type: PortableType): boolean

  readonly booleans: { readonly true: string; readonly false: string }

  /** A value inside JSON, as a text or as what it is compared as; complete with the parentheses that it needs. */
  jsonPath(path: JsonPath, as: JsonPath['as']): string

  /** Whether a text after an arrow is the key that it says, and not a path of the engine's own. */
  isJsonKey(key: string): boolean

  readonly functions: Readonly<Record<FunctionCall['function'], string>>

  /** The DEFAULT that is the moment of the insert. */
  readonly now: Readonly<Partial<Record<PortableKind, string>>>

  /** What comes after the name and type of a numbered column. */
  readonly identity: string
  /** Whether the numbers come from a sequence of its own, which the table's DEFAULT names. */
  readonly identityFromSequence: boolean
  /** Whether a numbered column has to be the primary key, which is then declared with the column. */
  readonly identityIsPrimaryKey: boolean

  readonly generated: {
    readonly stored: boolean
    readonly virtual: boolean
    /** Whether such a column can be NOT NULL or have a CHECK. */
    readonly constrained: boolean
  }

  readonly constraintNames: boolean

  readonly foreignKeyActions: boolean

  /** After the closing parenthesis. */
  tableSuffix(columns: readonly ColumnDefinition[]): string

  readonly index: {
    readonly partial: boolean
    /** Whether the order of a key is kept. */
    readonly direction: boolean
    readonly collation: boolean
    readonly include: boolean
    readonly nullsNotDistinct: boolean
    readonly concurrently: boolean
    /** The method of an index that names none. */
    readonly method: string
    readonly methods: readonly string[]
    /** Whether a JSON path can be a key. */
    readonly json: boolean
    /** Whether a key that is an expression stands in parentheses. */
    readonly expressionInParentheses: boolean
    /** Whether `DROP INDEX` names the table. */
    readonly dropNamesTable: boolean
  }

  /** The same for all names of tables or columns that the engine takes for one. */
  readonly foldedName: (name: string) => string
}

/** Letters of ASCII in lower case, which are the ones that SQLite and DuckDB take for the same. */
export function foldedAscii(name: string): string {
  if (!/[A-Z]/.test(name)) return name
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
