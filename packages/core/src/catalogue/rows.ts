/** A row of a catalogue query. Its keys are single lower-case words, which Kysely's CamelCasePlugin leaves alone. */
export type CatalogueRow = Readonly<Record<string, unknown>>

/** The rows by the value of one column, both in the order in which they came. */
export function groupRows(
  rows: readonly CatalogueRow[],
  column: string,
): ReadonlyMap<string, readonly CatalogueRow[]> {
  const groups = new Map<string, CatalogueRow[]>()
  for (const row of rows) {
    const value = String(row[column])
    const group = groups.get(value)
    if (group === undefined) groups.set(value, [row])
    else group.push(row)
  }
  return groups
}

/** Text, empty for NULL. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Drivers give integers as numbers, bigints or, where they are told so, as text. */
export function integerOf(value: unknown): number {
  return Number(value)
}

/** Whether an integer stands for true. */
export function flagOf(value: unknown): boolean {
  return integerOf(value) !== 0
}
