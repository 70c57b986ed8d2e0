import { Column, fillPlaceholders, is, Param, Placeholder, type Query } from 'drizzle-orm'
import { arrayParameter } from './array-parameter.ts'
import { typingsOf } from './internals.ts'

/** What the dialect says of a parameter that is the text of an array. Any other text is text, whatever it looks like. */
export const arrayTyping = 'array'

/**
 * The values that a query binds, encoded by their columns.
 *
 * @param values of the placeholders, by name
 * @throws Drizzle's error for a placeholder without a value
 */
export function parametersOf(query: Query, values: Record<string, unknown>): unknown[] {
  const typings = typingsOf(query)
  return query.params.map((parameter, index) => {
    let isArray = typings[index] === arrayTyping
    let value = parameter
    if (is(parameter, Placeholder) || (is(parameter, Param) && is(parameter.value, Placeholder))) {
      const { name } = is(parameter, Param) ? (parameter.value as Placeholder) : parameter
      isArray = is(parameter, Param) && isOfArray(parameter.encoder)
      // Most columns cannot encode null, and Drizzle asks them to.
      value = values[name] === null ? null : fillPlaceholders([parameter], values)[0]
    }
    return isArray && typeof value === 'string' ? arrayOf(value, index) : value
  })
}

/** Whether it encodes arrays, as the text of an array. */
export function isOfArray(encoder: unknown): boolean {
  return is(encoder, Column) && encoder.dataType === 'array'
}

function arrayOf(text: string, index: number): unknown {
  if (text.startsWith('{')) return arrayParameter(text, index)
  // A `vector()` is written as JSON.
  return text.startsWith('[') ? JSON.parse(text) : text
}
