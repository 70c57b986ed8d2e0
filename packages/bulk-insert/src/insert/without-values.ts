import { describeValue } from '@keelson/core'

/**
 * The message of an error without the values that it quotes: an engine repeats what it cannot convert.
 *
 * @param row the row that is to blame, where it is known
 * @param names tables and columns, which may stand in it
 */
export function withoutValues(message: string, row: unknown, names: ReadonlySet<string>): string {
  let text = message
  for (const value of scalarsIn(row)) {
    text = text.replaceAll(` is ${describeValue(value)}, `, ' is …, ')
    for (const quote of ['"', "'"])
      text = text.replaceAll(`${quote}${String(value)}${quote}`, `${quote}…${quote}`)
  }
  return text
    .replace(quoted, (whole, double?: string, single?: string) =>
      names.has((double ?? single)!) ? whole : `${whole[0]}…${whole[0]}`,
    )
    .replace(/\bvalue -?[\d.]+(?:e[+-]?\d+)?/gi, 'value …')
}

/** The message of an error without a value that stands in it as a word. */
export function withoutBareValues(message: string, value: unknown): string {
  let text = message
  for (const each of scalarsIn(value)) {
    const shown = String(each)
    if (shown === '' || !text.includes(shown)) continue
    const word = shown.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
    text = text.replaceAll(new RegExp(`(?<![\\p{L}\\p{N}_])${word}(?![\\p{L}\\p{N}_])`, 'gu'), '…')
  }
  return text
}

const quoted = /"((?:[^"\\]|\\.)*)"|(?<=^|[\s(:=])'([^']*)'(?=$|[\s,.);:])/g

/** @param around the objects that the value is in, which it may refer to */
function* scalarsIn(
  value: unknown,
  around: readonly unknown[] = [],
): Generator<string | number | bigint | boolean | symbol | Date> {
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    if (ArrayBuffer.isView(value) || around.includes(value)) return
    for (const each of Object.values(value)) yield* scalarsIn(each, [...around, value])
  } else if (value !== null && value !== undefined && typeof value !== 'function') {
    yield value as string
  }
}
