const begin = 'pragma legacy_alter_table = on'

/** The statements of a rebuild of SQLite's, while nothing that refers to the table follows its renaming. */
export function rebuilding(...sql: readonly string[]): readonly string[] {
  return [begin, ...sql, 'pragma legacy_alter_table = off']
}

/** Whether statements are such a rebuild, whatever the kind of the step: what undoes a column that was dropped is one, too. */
export function isRebuild(sql: readonly string[]): boolean {
  return sql[0] === begin
}
