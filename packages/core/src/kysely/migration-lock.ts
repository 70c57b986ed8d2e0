import type { DatabaseConnection, Kysely } from 'kysely'
import { KeelsonError } from '../errors/keelson-error.ts'
import { Holder } from '../holder.ts'

/** On every connection of ours; the adapter finds it there, since it is given a `Kysely` and no connection. */
export const migrationLock: unique symbol = Symbol.for('keelson.kysely.migrationLock')

/** The capability under {@link migrationLock}: Kysely's migration lock, held by one connection. */
export interface ConnectionMigrationLock {
  /** @param holder who asks, for those who wait for it then */
  acquire(holder: Holder): Promise<void>
  /** Does nothing when the lock was not acquired. */
  release(): Promise<void>
}

/** Acquires the lock on the connection that `db` runs on. */
export async function acquireMigrationLock(db: Kysely<any>): Promise<void> {
  // Kysely's queue for a connection keeps nothing of the stack of the one who asks.
  const holder = new Holder('migration')
  await withLock(db, (lock) => lock.acquire(holder))
}

/** Releases it there. */
export async function releaseMigrationLock(db: Kysely<any>): Promise<void> {
  await withLock(db, (lock) => lock.release())
}

function withLock(
  db: Kysely<any>,
  use: (lock: ConnectionMigrationLock) => Promise<void>,
): Promise<void> {
  return db.getExecutor().provideConnection(async (connection: DatabaseConnection) => {
    const lock = (connection as { readonly [migrationLock]?: ConnectionMigrationLock })[
      migrationLock
    ]
    if (lock === undefined) {
      throw new KeelsonError(
        'FOREIGN_CONNECTION',
        'The migration lock needs the connection that the driver made, and was given another object. ' +
          'A wrapper around the dialect must pass connections on as they are.',
      )
    }
    await use(lock)
  })
}
