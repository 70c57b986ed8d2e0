/**
 * Reads `account.name, account.region`, the way in which SQLite and DuckDB name columns in a message. They quote
 * nothing there: when a name has a dot of its own nobody can tell where the table ends, and nothing is returned.
 */
export function qualifiedColumns(text: string): { table?: string; columns?: readonly string[] } {
  const parts = text.split(', ').map((part) => part.split('.'))
  const table = parts[0]?.[0]
  const columns: string[] = []
  for (const part of parts) {
    const [owner, column] = part
    if (part.length !== 2 || owner !== table || !column) return {}
    columns.push(column)
  }
  return table ? { table, columns } : {}
}
