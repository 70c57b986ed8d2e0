/** Random schemas of zod, each with values of which it accepts most: the bounds, what is beside them, and what is far from them. */
import fc from 'fast-check'
import { z } from 'zod'
import * as mini from 'zod/mini'

export interface ZodField {
  readonly schema: z.ZodType | mini.ZodMiniType
  readonly values: readonly unknown[]
}

/** A field with the wrappers that a schema may have around it. */
export function zodField(): fc.Arbitrary<ZodField> {
  const scalar = scalarField()
  const wrapped = fc.tuple(scalar, wrapper).map(([field, wrap]) => wrap(field as Wrapped))
  return fc.oneof(
    { weight: 3, arbitrary: wrapped },
    { weight: 1, arbitrary: containerField(scalar) },
  )
}

interface Wrapped {
  readonly schema: z.ZodType
  readonly values: readonly unknown[]
}

const wrapper: fc.Arbitrary<(field: Wrapped) => Wrapped> = fc.constantFrom(
  (field: Wrapped): Wrapped => field,
  ({ schema, values }) => ({ schema: z.optional(schema), values: [...values, undefined] }),
  ({ schema, values }) => ({ schema: z.nullable(schema), values: [...values, null] }),
  ({ schema, values }) => ({ schema: z.nullish(schema), values: [...values, null, undefined] }),
  ({ schema, values }) => ({ schema: z.readonly(schema), values }),
  ({ schema, values }) => ({ schema: z.nonoptional(z.optional(schema)), values }),
  ({ schema, values }) => ({ schema: z.lazy(() => schema), values }),
  ({ schema, values }) => ({ schema: z.pipe(schema, schema as never), values }),
  ({ schema, values }) => {
    // A default is what comes out, and is not parsed.
    const parsed = values.map((value) => schema.safeParse(value)).find(({ success }) => success)
    if (parsed === undefined) return { schema, values }
    return { schema: z._default(schema, parsed.data as never), values: [...values, undefined] }
  },
  ({ schema, values }) => {
    const accepted = values.find((value) => schema.safeParse(value).success)
    if (accepted === undefined) return { schema, values }
    return { schema: z.prefault(schema, accepted as never), values: [...values, undefined] }
  },
  // What it falls back to is not checked by the schema.
  ({ schema, values }) =>
    schema instanceof z.ZodString
      ? { schema: (schema as z.ZodString).catch('any text'), values: [...values, 7] }
      : { schema, values },
)

function scalarField(): fc.Arbitrary<Wrapped> {
  // A NUL ends the text for PostgreSQL, which refuses it, and for the length() of SQLite.
  const text = fc
    .string({ unit: 'binary', maxLength: 12 })
    .map((value) => value.replaceAll('\0', ''))
  const moment = fc.date({
    min: new Date('0001-01-01T00:00:00.000Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  })
  return fc.oneof(
    fc
      .tuple(text, fc.nat(4), fc.nat(8), fc.constantFrom('none', 'trim', 'upper', 'trimFirst'))
      .map(([value, low, more, change]) => {
        const bounded = z
          .string()
          .min(low)
          .max(low + more)
        const schema =
          change === 'trim'
            ? bounded.trim()
            : change === 'upper'
              ? bounded.toUpperCase()
              : change === 'trimFirst'
                ? z
                    .string()
                    .trim()
                    .min(low)
                    .max(low + more)
                : bounded
        const padded = [
          ' '.repeat(low),
          'ß'.repeat(low + more),
          '😀'.repeat(low),
          '😀'.repeat(low + more),
        ]
        return { schema, values: [value, ...padded] }
      }),
    fc
      .tuple(
        fc.maxSafeInteger(),
        fc.nat(1_000),
        fc.boolean(),
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -2, max: 2 }),
      )
      .map(([low, more, exclusive, fraction]) => {
        const schema = exclusive
          ? z
              .int()
              .gt(low + fraction)
              .lt(low + more)
          : z
              .int()
              .min(low)
              .max(low + more)
        return { schema, values: [low, low + 1, low + more, low + more - 1, low + 2] }
      }),
    fc
      .tuple(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean())
      .map(([bound, exclusive]) => ({
        schema: exclusive ? z.number().gt(bound) : z.number().max(bound),
        values: [
          bound,
          nextUp(bound),
          -nextUp(-bound),
          bound + Math.abs(bound),
          bound - Math.abs(bound),
          0,
          -0,
          5e-324,
          Number.MAX_VALUE,
          -Number.MAX_VALUE,
        ].filter(Number.isFinite),
      })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((bound) => ({
      schema: z.int64().gte(bound),
      values: [bound, 2n ** 63n - 1n, bound + 1n, 0n],
    })),
    fc.constantFrom<Wrapped>(
      { schema: z.boolean(), values: [true, false] },
      { schema: z.stringbool(), values: ['true', 'no'] },
      { schema: z.int32(), values: [-(2 ** 31), 2 ** 31 - 1, 0] },
      { schema: z.uint32(), values: [0, 2 ** 32 - 1] },
      { schema: z.float32(), values: [3.4028234663852886e38, -3.4028234663852886e38, 0.1] },
      { schema: z.int(), values: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER] },
      { schema: z.int().multipleOf(5), values: [0, -10, 15] },
      { schema: z.email(), values: ['a@example.com'] },
      { schema: z.iso.time(), values: ['12:00', '23:59:59.123'] },
      {
        schema: z.iso.datetime({ local: true }),
        values: ['2020-01-01T12:00', '2020-01-01T12:00:00Z'],
      },
      { schema: z.iso.datetime({ precision: 6 }), values: ['2020-01-01T12:00:00.123456Z'] },
      {
        schema: z.iso.datetime({ offset: true }),
        values: ['2020-01-01T12:00:00Z', '2020-01-01T12:00:00.5+02:00'],
      },
      { schema: z.enum(['', 'a', "it's", '😀']), values: ['', 'a', "it's", '😀'] },
      { schema: z.enum({ Low: 1, High: 2 }), values: [1, 2] },
      { schema: z.literal([1.5, -2]), values: [1.5, -2] },
      { schema: z.literal(['a', null]), values: ['a', null] },
      { schema: z.union([z.literal('x'), z.string().min(3)]), values: ['x', 'long enough'] },
      { schema: z.union([z.int().min(5), z.number().max(-1.5)]), values: [5, -1.5, 7] },
      { schema: z.union([z.boolean(), z.string()]), values: [true, 'a'] },
      { schema: z.templateLiteral(['v', z.number()]), values: ['v1'] },
      { schema: z.intersection(z.string().min(2), z.string().max(3)), values: ['ab', 'abc'] },
      {
        schema: mini.string().check(mini.minLength(2), mini.maxLength(3)) as never,
        values: ['ab', 'abc'],
      },
      {
        schema: mini.optional(mini.int().check(mini.positive())) as never,
        values: [1, undefined],
      },
      {
        schema: z.codec(z.iso.datetime(), z.date(), {
          decode: (iso) => new Date(iso),
          encode: (date) => date.toISOString(),
        }),
        values: ['2020-01-01T12:00:00Z'],
      },
    ),
    fc.uuid().map((value) => ({ schema: z.uuid(), values: [value, value.toUpperCase()] })),
    moment.map((value) => ({
      schema: z.date().min(value),
      values: [value, new Date('9999-12-31T23:59:59.999Z')],
    })),
    moment.map((value) => ({
      schema: z.iso.datetime(),
      values: [
        value.toISOString(),
        `${value.toISOString().slice(0, 19)}Z`,
        `${value.toISOString().slice(0, 21)}Z`,
      ],
    })),
    moment.map((value) => ({ schema: z.iso.date(), values: [value.toISOString().slice(0, 10)] })),
  )
}

function containerField(scalar: fc.Arbitrary<Wrapped>): fc.Arbitrary<Wrapped> {
  return fc.oneof(
    fc.jsonValue().map((value) => ({ schema: z.json(), values: [value] })),
    fc
      .jsonValue()
      .map((value) => ({ schema: z.object({ a: z.unknown() }), values: [{ a: value }] })),
    scalar
      .filter(({ values }) => values.every((value) => typeof value !== 'bigint' && value !== null))
      .map(({ schema, values }) => {
        const accepted = values.filter(
          (value) => value !== undefined && schema.safeParse(value).success,
        )
        return { schema: z.array(schema), values: [accepted, []] }
      }),
    fc.constant({ schema: z.record(z.string(), z.number()), values: [{ a: 1 }, {}] }),
    fc.constant({ schema: z.tuple([z.string(), z.int()]), values: [['a', 1]] }),
    fc.constant({
      schema: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('a') }),
        z.object({ kind: z.literal('b'), n: z.int() }),
      ]),
      values: [{ kind: 'a' }, { kind: 'b', n: 1 }],
    }),
  )
}

/** The next number above. */
function nextUp(value: number): number {
  if (!Number.isFinite(value)) return value
  if (value === 0) return Number.MIN_VALUE
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n))
  return view.getFloat64(0)
}
