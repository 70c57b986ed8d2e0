import type {
  ColumnReference,
  Expression,
  FunctionCall,
  JsonPath,
  Literal,
} from '../ir/expression.ts'

/** The type, in TypeScript, of the values of an expression. It is in no object. */
declare const valueType: unique symbol

/** An expression whose values have the TypeScript type `Value`. */
export type Typed<Value> = Expression & { readonly [valueType]?: (value: Value) => void }

/** A column of a table that is being defined. */
export type Column<Value = any> = ColumnReference & Typed<Value>

/** A value inside of a JSON column. */
export type JsonValue<Value> = JsonPath & Typed<Value>

/** A function of a column. */
export type Call<Value> = FunctionCall & Typed<Value>

/** What a column can be compared with: its values, without NULL. A moment may be given as a Date or as text. */
export type Comparable<Value> =
  | Extract<Exclude<Value, null | undefined>, Literal>
  | (Date extends Value ? Date | string : never)
  | (Value extends bigint ? number : never)

/** A column for each field of a row. */
export type Columns<Row> = { readonly [Name in keyof Row]-?: Column<Row[Name]> }
