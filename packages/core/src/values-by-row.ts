/**
 * Values that are kept by column, row after row, and what follows them: the parameters of a statement for some rows.
 *
 * @param from the first of the rows
 * @param to the first one that is none of them
 * @param tail what stands behind all rows
 */
export function valuesByRow<T>(
  columns: readonly ArrayLike<T>[],
  from: number,
  to: number,
  tail: readonly T[] = [],
): T[] {
  const width = columns.length
  const count = (to - from) * width
  // Of its size from the beginning, which is felt.
  const values = Array<T>(count + tail.length)
  for (let column = 0; column < width; column++) {
    const items = columns[column]!
    for (let row = from, at = column; row < to; row++, at += width) values[at] = items[row]!
  }
  for (let at = 0; at < tail.length; at++) values[count + at] = tail[at]!
  return values
}
