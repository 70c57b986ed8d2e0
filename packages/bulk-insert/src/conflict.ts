/** What becomes of a row whose key is there already. Normalised from the option `onConflict`. */
export interface Conflict {
  /** Keys of the columns of the conflict target; undefined for any unique key. */
  readonly target: readonly string[] | undefined
  /** The condition of a partial unique index, as the ORM takes it. */
  readonly targetWhere: unknown
  /** What is updated: keys that get the new row's values, or what the ORM takes; undefined to skip the row. */
  readonly update: readonly string[] | 'all' | object | Function | undefined
  /** Under which condition, as the ORM takes it. */
  readonly where: unknown
}
