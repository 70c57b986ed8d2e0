import { describeValue, type EngineName, engineTraits } from '@keelson/core'
import { DefinitionError } from '../errors.ts'
import type { Literal } from '../ir/expression.ts'

/** A text between single quotes. */
export function textSql(text: string, engine: EngineName): string {
  if (text.includes('\0') || /\p{Surrogate}/u.test(text)) {
    throw new DefinitionError(
      `Cannot write ${describeValue(text)} in SQL: it contains a NUL character or half of a surrogate pair, ` +
        'which a text of SQL cannot hold. Remove the character.',
    )
  }
  let written = ''
  const escapes = engineTraits[engine].literalEscapes
  for (const character of text) written += escapes[character] ?? character
  return `'${written}'`
}

/** Texts with commas between them. */
export function textsSql(texts: readonly string[], engine: EngineName): string {
  return texts.map((text) => textSql(text, engine)).join(', ')
}

/**
 * A number, in the digits that JavaScript writes. DuckDB reads `0.1` as a DECIMAL, which it turns into another double than
 * these digits are where they are many; with an exponent it reads a double.
 */
function numberSql(value: number | bigint, engine: EngineName): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new DefinitionError(
      `Cannot write ${value} in SQL: no engine has a literal for it. Use a finite number.`,
    )
  }
  if (Object.is(value, -0)) return '0'
  const isFraction = typeof value === 'number' && !Number.isInteger(value)
  return isFraction && engine === 'duckdb' ? value.toExponential() : String(value)
}

/** A constant. */
export function literalSql(
  value: Literal,
  engine: EngineName,
  booleans: { readonly true: string; readonly false: string },
): string {
  switch (typeof value) {
    case 'string':
      return textSql(value, engine)
    case 'number':
    case 'bigint':
      return numberSql(value, engine)
    case 'boolean':
      return value ? booleans.true : booleans.false
    default:
      if (value === null) return 'null'
      throw new DefinitionError(
        `Cannot write ${describeValue(value)} in SQL. A constant is a string, a number, a bigint, a boolean or null.`,
      )
  }
}
