/** Pieces of TypeScript, written so that no name or value of a schema can become code. */

/** A string literal: between single quotes where there are none in it. */
export function stringCode(text: string): string {
  if (/^[ !#-&(-[\]-~]*$/.test(text)) return `'${text}'`
  const code = JSON.stringify(text)
  return text.includes("'") ? code : `'${code.slice(1, -1).replaceAll('\\"', '"')}'`
}

/** The key of an object or interface: bare where it is an identifier. */
export function keyCode(name: string): string {
  if (name === '__proto__') return `['__proto__']`
  return isIdentifier(name) ? name : stringCode(name)
}

/** A property of something: `table.name`, `table['a name']`. */
export function memberCode(of: string, name: string): string {
  return isIdentifier(name) ? `${of}.${name}` : `${of}[${stringCode(name)}]`
}

/** A template of Kysely's or Drizzle's `sql` with nothing in it but this text. */
export function sqlCode(text: string, type?: string): string {
  // A template makes one character of a carriage return and the line break after it.
  const inside = /[\\`$\r]/.test(text)
    ? text
        .replaceAll('\\', '\\\\')
        .replaceAll('`', '\\`')
        .replaceAll('${', '\\${')
        .replaceAll('\r', '\\r')
    : text
  return `sql${type === undefined ? '' : `<${type}>`}\`${inside}\``
}

/** A comment, which no text can end. */
export function commentCode(text: string): string {
  return text
    .split(/[\n\r\u2028\u2029]+/)
    .map((line) => `// ${line}`.trimEnd())
    .join('\n')
}

/** `['a', 'b']`, on one line where it fits. */
export function listCode(items: readonly string[]): string {
  return `[${items.join(', ')}]`
}

/** A call, on one line where that is short, else with an argument on each. */
export function callCode(name: string, args: readonly string[], indent: string): string {
  const line = `${name}(${args.join(', ')})`
  if (indent.length + line.length <= 98 && !line.includes('\n')) return line
  return `${name}(\n${args.map((arg) => `${indent}  ${arg},\n`).join('')}${indent})`
}

/** Calls one after the other, on one line where that is short, else each on its own. */
export function chainCode(start: string, calls: readonly string[], indent: string): string {
  const line = start + calls.join('')
  if (indent.length + line.length <= 98 && !line.includes('\n')) return line
  return [start, ...calls.map((call) => `${indent}  ${call}`)].join('\n')
}

/** Names for constants and types, each of which is given once. */
export class NamesInFile {
  readonly #taken: Set<string>

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken)
  }

  /** `order_items` -> `orderItems`; with `suffix` or a number where that is taken. */
  constant(name: string, suffix: string): string {
    const words = wordsOf(name)
    const [first = 'unnamed', ...more] = words
    return this.#take(lowerFirst(first) + more.map(upperFirst).join(''), suffix)
  }

  /** `order_items` -> `OrderItems` + `suffix`. */
  type(name: string, suffix: string): string {
    const words = wordsOf(name)
    return this.#take(
      (words.length === 0 ? 'Unnamed' : words.map(upperFirst).join('')) + suffix,
      '',
    )
  }

  #take(wanted: string, suffix: string): string {
    const start = /^\p{ID_Start}/u.test(wanted) ? wanted : `_${wanted}`
    const name = this.#isFree(start) ? start : start + suffix
    for (let count = 1; ; count++) {
      const numbered = count === 1 ? name : `${name}${count}`
      if (!this.#isFree(numbered)) continue
      this.#taken.add(numbered)
      return numbered
    }
  }

  #isFree(name: string): boolean {
    return !this.#taken.has(name) && !reservedWords.has(name)
  }
}

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(name)
}

function wordsOf(name: string): readonly string[] {
  return (
    name.match(/[\p{ID_Continue}$]+/gu)?.flatMap((part) => part.split('_').filter(Boolean)) ?? []
  )
}

function upperFirst(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

function lowerFirst(word: string): string {
  return /^\p{Lu}+$/u.test(word)
    ? word.toLowerCase()
    : word.slice(0, 1).toLowerCase() + word.slice(1)
}

/** What no constant of a module can be called, or better is not. */
const reservedWords: ReadonlySet<string> = new Set(
  (
    'abstract any arguments as async await bigint boolean break case catch class const constructor continue debugger declare ' +
    'default delete do else enum eval export extends false finally for from function get global globalThis if implements ' +
    'import in infer instanceof interface is keyof let module namespace never new null number object of package private ' +
    'protected public readonly require return set static string super switch symbol this throw true try type typeof ' +
    'undefined unique unknown using var void while with yield Array Buffer Date Infinity Map NaN Number Object Promise ' +
    'Record String Symbol Uint8Array'
  ).split(' '),
)
