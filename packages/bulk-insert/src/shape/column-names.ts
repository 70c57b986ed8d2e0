import type { EngineName } from '@keelson/core'

/** How an engine compares the names of columns: what it makes the same is one column. */
const comparable: Readonly<Record<EngineName, (name: string) => string>> = {
  postgresql: (name) => name,
  // Letters of ASCII alone: https://www.sqlite.org/src/file?name=src/util.c (sqlite3StrICmp)
  sqlite: asciiLowerCase,
  duckdb: asciiLowerCase,
  // https://dev.mysql.com/doc/refman/8.4/en/identifier-case-sensitivity.html
  mysql: (name) => name.toLowerCase(),
}

/** Finds things by the name of their column, as the engine compares it. */
export function byColumnName<T>(
  engine: EngineName,
  entries: Iterable<readonly [name: string, thing: T]>,
): (name: string) => T | undefined {
  const compare = comparable[engine]
  const things = new Map([...entries].map(([name, thing]) => [compare(name), thing]))
  return (name) => things.get(compare(name))
}

function asciiLowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
