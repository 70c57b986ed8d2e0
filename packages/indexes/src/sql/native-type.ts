import type { EngineName } from '@keelson/core'
import { DefinitionError } from '../errors.ts'

const piece =
  /\s+|"(?:[^"]|"")+"|`(?:[^`]|``)+`|'(?:[^']|'')*'|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|\d+|(?<sign>[()[\],.])|(?<other>[^])/g

/** Words that begin something else than a type, where they stand outside of its parentheses. */
const notOfTypes = new Set(
  'AS AUTO_INCREMENT AUTOINCREMENT CHECK CONSTRAINT DEFAULT FOREIGN GENERATED IDENTITY KEY NOT NULL ON PRIMARY REFERENCES UNIQUE USING'.split(
    ' ',
  ),
)

/**
 * A type that was given in the engine's own words, which may come from rows that people edit: it has to be a type and
 * nothing after it.
 *
 * @throws {DefinitionError} for anything else
 */
export function checkNativeType(native: string, column: string, engine: EngineName): string {
  const depths: string[] = []
  let isType = true
  for (const { 0: text, groups } of native.matchAll(piece)) {
    const { word, sign, other } = groups ?? {}
    if (other !== undefined || text.includes('\0')) isType = false
    if (word !== undefined && depths.length === 0 && notOfTypes.has(word.toUpperCase()))
      isType = false
    if (sign === '(' || sign === '[') depths.push(sign)
    if (sign === ')') isType &&= depths.pop() === '('
    if (sign === ']') isType &&= depths.pop() === '['
    if (sign === ',' && depths.length === 0) isType = false
  }
  // A SQLite column may have no type at all.
  if (isType && depths.length === 0 && (native.trim() !== '' || engine === 'sqlite')) return native
  throw new DefinitionError(
    `Cannot use ${JSON.stringify(native)} as the type of column ${JSON.stringify(column)} on ${engine}: ` +
      'it is not the name of a type alone. Write for example `varchar(20)`; DEFAULT, CHECK and the like have their own places.',
  )
}
