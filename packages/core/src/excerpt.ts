/** A statement as a message shows it: on one line, between backticks, its end left out where it is long. */
export function excerpt(sql: string): string {
  // A statement with a thousand rows of placeholders takes milliseconds otherwise.
  const start = sql.length > 2_000 ? sql.slice(0, 2_000) : sql
  const line = start.replaceAll(/\s+/g, ' ').trim()
  return `\`${line.length > 120 || start !== sql ? `${line.slice(0, 117)}...` : line}\``
}
