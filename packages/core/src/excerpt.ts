/** A statement as a message shows it: on one line, between backticks, its end left out where it is long. */
export function excerpt(sql: string): string {
  const line = sql.replaceAll(/\s+/g, ' ').trim()
  return `\`${line.length > 120 ? `${line.slice(0, 117)}...` : line}\``
}
