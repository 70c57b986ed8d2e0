import { describeValue, ParameterError } from '@keelson/core'

/**
 * The elements of an array that Drizzle has encoded as PostgreSQL writes one: `{1,"two",null,{3}}`. What stands in
 * quotes was a string; what does not was a number, a bigint, a boolean or null, which is what it becomes again.
 *
 * @throws {ParameterError} where something else was in the array, of which Drizzle has kept no more than `String()` of it
 */
export function arrayParameter(text: string, index: number): unknown[] {
  const reader = new ArrayReader(text, index)
  return reader.array()
}

class ArrayReader {
  readonly #text: string
  readonly #index: number
  #at = 0

  constructor(text: string, index: number) {
    this.#text = text
    this.#index = index
  }

  array(): unknown[] {
    const elements: unknown[] = []
    this.#expect('{')
    if (this.#text[this.#at] === '}') this.#at++
    else {
      for (;;) {
        elements.push(this.#element())
        if (this.#text[this.#at++] === ',') continue
        this.#at--
        this.#expect('}')
        break
      }
    }
    return elements
  }

  #element(): unknown {
    const first = this.#text[this.#at]
    if (first === '{') return this.array()
    return first === '"' ? this.#string() : this.#bare()
  }

  #string(): string {
    let value = ''
    this.#at++
    for (;;) {
      const char = this.#text[this.#at++]
      if (char === undefined) throw this.#unreadable(this.#text)
      if (char === '"') return value
      value += char === '\\' ? this.#text[this.#at++] : char
    }
  }

  #bare(): unknown {
    const word = /[^,{}]*/y
    word.lastIndex = this.#at
    const [text] = word.exec(this.#text)!
    this.#at += text.length
    if (text === 'null') return null
    if (text === 'true' || text === 'false') return text === 'true'
    if (text !== '' && /^-?(\d|Infinity$)|^NaN$/.test(text)) {
      const number = Number(text)
      if (/^-?\d+$/.test(text)) return Number.isSafeInteger(number) ? number : BigInt(text)
      if (!Number.isNaN(number) || text === 'NaN') return number
    }
    throw this.#unreadable(text)
  }

  #expect(char: string): void {
    if (this.#text[this.#at++] !== char) throw this.#unreadable(this.#text)
  }

  #unreadable(text: string): ParameterError {
    return new ParameterError(
      'PARAMETER_TYPE',
      `Parameter ${this.#index + 1} is an array with ${describeValue(text)} in it, which is all that Drizzle has kept of ` +
        'an element. Arrays of a column hold strings, numbers, bigints, booleans and null; for anything else declare the ' +
        'whole column as a customType().',
      { index: this.#index },
    )
  }
}
