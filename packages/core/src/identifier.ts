import { type EngineName, type EngineTraits, engineTraits } from './engine-traits.ts'
import { IdentifierError } from './errors/identifier-error.ts'
import { checkOptionNames, describeValue, invalidOption } from './options.ts'

/** What `checkIdentifier` is to hold a name against. */
export interface IdentifierOptions {
  /** The engine whose limit on the length applies; without it no limit does. @default undefined */
  readonly engine?: EngineName
  /**
   * Accept only ASCII letters, digits and underscores, not starting with a digit: for names that come from
   * outside, such as those of a schema read from a file. @default false
   */
  readonly strict?: boolean
}

/**
 * Refuses a name that no engine, or not the given one, takes as an identifier the way it is written: one that is
 * not a string, is empty, contains a NUL character or half a surrogate pair, or is too long.
 *
 * Quoting makes every other name safe, so that `strict` is a choice of style and not what keeps SQL intact.
 *
 * @throws {IdentifierError} `INVALID_IDENTIFIER`
 *
 * @example
 * checkIdentifier(name, { engine: 'postgresql' }) // at most 63 bytes
 */
export function checkIdentifier(
  name: unknown,
  options: IdentifierOptions = {},
): asserts name is string {
  checkOptionNames('checkIdentifier()', options, ['engine', 'strict'])
  const { engine, strict = false } = options
  check(name, engine === undefined ? undefined : traitsOf('checkIdentifier()', engine), strict)
}

/**
 * Writes a name so that the engine reads exactly that name, whatever characters it has.
 *
 * @throws {IdentifierError} `INVALID_IDENTIFIER`, as `checkIdentifier` does
 *
 * @example
 * quoteIdentifier('say "hi"', 'sqlite') // "say ""hi"""
 * quoteIdentifier('order', 'mysql') // `order`
 */
export function quoteIdentifier(name: string, engine: EngineName): string {
  const traits = traitsOf('quoteIdentifier()', engine)
  check(name, traits, false)
  const quote = traits.identifierQuote
  return quote + name.replaceAll(quote, quote + quote) + quote
}

function traitsOf(where: string, engine: EngineName): EngineTraits {
  if (Object.hasOwn(engineTraits, engine)) return engineTraits[engine]
  const known = Object.keys(engineTraits).map((name) => `'${name}'`)
  return invalidOption(where, 'engine', engine, known.join(' | '))
}

function check(
  name: unknown,
  traits: EngineTraits | undefined,
  strict: boolean,
): asserts name is string {
  if (typeof name !== 'string') refuse(name, 'it is not a string', 'Pass the name as a string')
  if (name === '') refuse(name, 'it is empty', 'Give it at least one character')
  // SQLite and every engine behind a C string would read only what stands before it.
  if (name.includes('\0')) refuse(name, 'it contains a NUL character', 'Remove the character')
  // Encoded to UTF-8 each of them becomes U+FFFD, and different names would become one.
  if (/\p{Surrogate}/u.test(name)) {
    refuse(name, 'it contains half of a surrogate pair', 'Complete or remove the character')
  }
  if (strict && !/^[A-Za-z_]\w*$/.test(name)) {
    refuse(
      name,
      'strict names have only ASCII letters, digits and underscores and do not start with a digit',
      'Rename it, or leave out `strict`',
    )
  }
  if (traits !== undefined) checkLength(name, traits)
}

function checkLength(name: string, traits: EngineTraits): void {
  const { engine, maxIdentifierBytes, maxIdentifierCharacters } = traits
  if (maxIdentifierBytes !== undefined) {
    const bytes = Buffer.byteLength(name)
    if (bytes > maxIdentifierBytes) {
      const why = `it is ${bytes} bytes long and ${engine} keeps only ${maxIdentifierBytes}`
      refuse(name, why, 'Shorten it')
    }
  }
  if (maxIdentifierCharacters !== undefined) {
    const characters = Array.from(name).length
    if (characters > maxIdentifierCharacters) {
      const why = `it is ${characters} characters long and ${engine} takes only ${maxIdentifierCharacters}`
      refuse(name, why, 'Shorten it')
    }
  }
}

function refuse(name: unknown, why: string, instead: string): never {
  const message = `Cannot use ${describeValue(name)} as an identifier: ${why}. ${instead}.`
  throw new IdentifierError(name, message)
}
