/**
 * Lets those who migrate one database do it one after the other, in the order in which they came. Only one process can
 * have a file open for writing, so those of other processes need not be waited for.
 *
 * @param database what they have in common: the instance of the file
 */
export async function inTurn<R>(database: object, migrate: () => Promise<R>): Promise<R> {
  const before = last.get(database)
  const turn = (before ?? Promise.resolve()).then(migrate)
  const settled = turn.then(
    () => {},
    () => {},
  )
  last.set(database, settled)
  return turn
}

const last = new WeakMap<object, Promise<void>>()
