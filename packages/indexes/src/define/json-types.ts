import type { JsonPath } from '../ir/expression.ts'

/** What `json()` takes as the path into a value: one key, or keys from the outside in. Any, where the type is not known. */
export type JsonPathOf<Value> =
  IsUnknown<Value> extends true
    ? string | AnyPath
    : (Keys<Present<Value>> & string) | Paths<Present<Value>, Depth>

type AnyPath = readonly [string | number, ...(readonly (string | number)[])]

/** How deep paths are checked and suggested: types without an end would have no end of paths. */
type Depth = [0, 0, 0, 0, 0, 0]

type Paths<Value, Left extends readonly unknown[]> = Left extends readonly [unknown, ...infer Rest]
  ? IsUnknown<Value> extends true
    ? AnyPath
    : Value extends readonly (infer Element)[]
      ? readonly [number] | readonly [number, ...PathsBelow<Element, Rest>]
      : Value extends object
        ? {
            [Key in Keys<Value>]:
              | readonly [Key]
              | readonly [Key, ...PathsBelow<Value[Key & keyof Value], Rest>]
          }[Keys<Value>]
        : never
  : AnyPath

type PathsBelow<Value, Left extends readonly unknown[]> = Extract<
  Paths<Present<Value>, Left>,
  readonly unknown[]
>

/** The type of the value at a path. */
export type JsonValueAt<Value, Path> = Path extends readonly [infer Key, ...infer Rest]
  ? Rest extends readonly []
    ? At<Present<Value>, Key>
    : JsonValueAt<At<Present<Value>, Key>, Rest>
  : At<Present<Value>, Path>

/** What a value of a type can be compared as. */
export type JsonKind<Value> =
  IsUnknown<Value> extends true
    ? JsonPath['as']
    : Present<Value> extends string
      ? 'string'
      : Present<Value> extends number
        ? 'number' | 'integer'
        : Present<Value> extends boolean
          ? 'boolean'
          : JsonPath['as']

type At<Value, Key> =
  IsUnknown<Value> extends true
    ? unknown
    : Value extends readonly (infer Element)[]
      ? Key extends number
        ? Element
        : never
      : Key extends keyof Value
        ? Value[Key]
        : never

type Keys<Value> = Value extends readonly unknown[]
  ? number
  : Value extends object
    ? keyof Value & (string | number)
    : never

type Present<Value> = Exclude<Value, null | undefined>

/** `any`, too. */
type IsUnknown<Value> = unknown extends Value ? true : false
