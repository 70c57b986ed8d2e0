/**
 * What is read of a zod schema: the structure that zod 4 and zod/mini share, `_zod.def`, without importing zod, which may
 * not be installed. `_zod.bag` is not read: zod 4.6 leaves it empty.
 */
import { SchemaError } from '../../errors.ts'

/** A schema of zod 4 or of zod/mini. */
export interface ZodNode {
  readonly _zod: { readonly def: ZodDef }
  readonly '~standard'?: {
    validate(value: unknown): unknown
  }
  /** Not in zod/mini. */
  meta?(): unknown
}

/** All fields that are read of the definitions of schemas. Which of them there are depends on `type`. */
export interface ZodDef {
  readonly type: string
  readonly checks?: readonly ZodCheck[]
  readonly format?: string
  readonly check?: string
  readonly pattern?: RegExp
  readonly precision?: number | null
  readonly local?: boolean
  readonly innerType?: ZodNode
  readonly in?: ZodNode
  readonly out?: ZodNode
  readonly getter?: () => ZodNode
  readonly defaultValue?: unknown
  readonly entries?: Readonly<Record<string, string | number>>
  readonly values?: readonly unknown[]
  readonly options?: readonly ZodNode[]
  readonly left?: ZodNode
  readonly right?: ZodNode
  readonly element?: ZodNode
  readonly items?: readonly ZodNode[]
  readonly rest?: ZodNode | null
  readonly keyType?: ZodNode
  readonly valueType?: ZodNode
  readonly catchall?: ZodNode
  readonly shape?: Readonly<Record<string, ZodNode>>
}

export interface ZodCheck {
  readonly _zod: { readonly def: ZodCheckDef }
}

export interface ZodCheckDef {
  readonly check: string
  readonly value?: unknown
  readonly inclusive?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly length?: number
  readonly format?: string
  readonly pattern?: RegExp
  readonly prefix?: string
  readonly suffix?: string
  readonly includes?: string
}

/** Which side of a pipe or a codec is stored: what parsing takes, or what it gives. */
export type Side = 'input' | 'output'

/** The field that is read, for messages, and how. */
export interface Where {
  readonly table: string
  readonly field: string
  readonly side: Side
}

/** @throws {SchemaError} `NOT_A_SCHEMA` */
export function zodNode(schema: unknown, table: string, field?: string): ZodNode {
  const def = (schema as Partial<ZodNode> | null | undefined)?._zod?.def
  if (typeof def?.type === 'string') return schema as ZodNode
  const what = field === undefined ? `The schema of ${table}` : `${table}.${field}`
  throw new SchemaError(
    'NOT_A_SCHEMA',
    table,
    field,
    `${what} is not a schema of zod 4. Pass what z.object() of zod 4 or zod/mini returns.`,
  )
}

/** What `.meta()`, `.describe()` and `.register(z.globalRegistry, ...)` have said of this very schema. */
export function metadataOf(node: ZodNode): Readonly<Record<string, unknown>> | undefined {
  // zod 4.0 kept the registry to itself; schemas of zod/mini were not asked for it then.
  const found =
    node.meta === undefined
      ? (globalThis as { readonly __zod_globalRegistry?: Registry }).__zod_globalRegistry?.get(node)
      : node.meta()
  return typeof found === 'object' && found !== null
    ? (found as Readonly<Record<string, unknown>>)
    : undefined
}

interface Registry {
  get(node: ZodNode): unknown
}
