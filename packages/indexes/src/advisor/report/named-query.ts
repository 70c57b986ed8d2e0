/** A query as people find it again: its id, and what its text says of tables and conditions. */
export function namedQuery({ id, text }: { readonly id: string; readonly text: string }): string {
  return `${id} (${shortened(text, 72)})`
}

/** In one line of at most so many letters. A long list of columns goes first: it tells queries apart the least. */
export function shortened(text: string, most: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  if (line.length <= most) return line
  const listless = line.replace(/^select (distinct )?.*? from /i, 'select $1... from ')
  const shorter = listless.length < line.length ? listless : line
  return shorter.length <= most ? shorter : `${shorter.slice(0, most - 3)}...`
}
