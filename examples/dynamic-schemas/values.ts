/** What a field's values are in JSON, in a URL and in the database: one entry for each portable type. */
import type { ColumnDefinition, PortableType } from '@keelson/indexes'
import { z } from 'zod'
import type { Engine } from './database.ts'

export interface Codec {
  /** Checks a value of a client's JSON, and makes of it what is bound. */
  readonly input: z.ZodType
  /** Makes a value of a client's JSON of text in a URL. */
  readonly ofText: (text: string) => unknown
  /** Makes a value for the client of what the driver has read. */
  readonly read: (value: any) => unknown
}

export function codecOf(
  { type, nullable, default: given }: ColumnDefinition,
  engine: Engine,
): Codec {
  const { input, ofText = asIs, read = asIs } = codec(type, engine)
  const isOptional = nullable || given !== undefined
  const orNull = nullable ? input.nullable() : input
  return {
    input: isOptional ? orNull.optional() : orNull,
    ofText,
    read: (value) => (value === null ? null : read(value)),
  }
}

type Parts = Pick<Codec, 'input'> & Partial<Codec>

function codec(type: PortableType, engine: Engine): Parts {
  switch (type.kind) {
    case 'enum':
      return { input: z.enum([...type.values] as [string, ...string[]]) }
    case 'string':
      return { input: type.maxLength === undefined ? text : text.max(type.maxLength) }
    case 'decimal':
      return { input: decimal(type.precision - type.scale, type.scale), read: String }
    case 'array': {
      const { input, read = asIs } = codec(type.of, engine)
      if (engine !== 'sqlite') return { input: z.array(input), read: (list) => list.map(read) }
      // SQLite has no arrays: it keeps JSON.
      return { input: z.array(input).transform(toJson), read: JSON.parse }
    }
    case 'json':
      return { input: z.json().transform(toJson), read: engine === 'sqlite' ? JSON.parse : asIs }
    default:
      return scalars[type.kind]
  }
}

const asIs = (value: any): unknown => value
const toJson = (value: unknown): string => JSON.stringify(value)
const number = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text))

/** PostgreSQL keeps no NUL, and no engine half of a surrogate pair. */
const text = z
  .string()
  .refine((value) => !/[\0\p{Surrogate}]/u.test(value), 'has characters that no text has')

const bigint = z
  .union([
    z.int().transform(BigInt),
    z
      .string()
      .regex(/^-?\d{1,19}$/)
      .transform(BigInt),
  ])
  .refine((value) => BigInt.asIntN(64, value) === value, 'has more than 64 bits')

const decimal = (before: number, after: number): z.ZodType =>
  z
    .union([z.string(), z.number().transform(String)])
    .refine(
      (value) =>
        new RegExp(`^-?\\d{1,${Math.max(before, 1)}}(\\.\\d{1,${after || 1}})?$`).test(value),
      `is no number with ${before} digits before the point and ${after} after it`,
    )

const scalars: Readonly<
  Record<Exclude<PortableType['kind'], 'string' | 'enum' | 'decimal' | 'array' | 'json'>, Parts>
> = {
  int32: { input: z.int32(), ofText: number, read: Number },
  integer: { input: z.int(), ofText: number, read: Number },
  // More digits than a number of JSON's keeps.
  bigint: { input: bigint, read: String },
  number: { input: z.number(), ofText: number, read: Number },
  boolean: {
    input: z.boolean(),
    ofText: (text) => ({ true: true, false: false })[text] ?? text,
    read: Boolean,
  },
  date: { input: z.iso.date() },
  datetime: {
    input: z.iso.datetime({ offset: true }).transform((value) => new Date(value).toISOString()),
    // DuckDB's have no zone: they are in UTC.
    read: (value) =>
      new Date(
        typeof value === 'string' && !value.endsWith('Z') ? `${value.replace(' ', 'T')}Z` : value,
      ).toISOString(),
  },
  uuid: { input: z.guid().toLowerCase() },
  blob: {
    input: z.base64().transform((value) => Buffer.from(value, 'base64')),
    read: (value: Uint8Array) => Buffer.from(value).toString('base64'),
  },
}
