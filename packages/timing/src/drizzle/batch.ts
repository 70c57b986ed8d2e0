/** What is known of a batch before it is sent. */
export interface Batch {
  /** Its statements; those that follow each other and are the same, once. */
  readonly sql: string
  readonly size: number
}

/** @param items of `db.batch()`: query builders, or raw SQL */
export function batchOf(items: readonly unknown[]): Batch {
  const statements = items.map(textOf)
  return {
    sql: statements.filter((sql, index) => sql !== statements[index - 1]).join('; '),
    size: items.length,
  }
}

interface Item {
  toSQL?(): { readonly sql: string }
  getQuery?(): { readonly sql: string }
}

function textOf(item: unknown): string {
  const query = item as Item
  return (query.toSQL?.() ?? query.getQuery?.())?.sql ?? ''
}
