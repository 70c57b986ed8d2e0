import { attachSuppressed } from '@keelson/core'
import type { Kysely } from 'kysely'

/**
 * Runs `fn` while `db`, which is one connection, has the migration lock of its dialect. Where both `fn` and the release
 * fail, the error is that of `fn`.
 */
export async function underMigrationLock<R>(db: Kysely<any>, fn: () => Promise<R>): Promise<R> {
  const { adapter } = db.getExecutor()
  const release = (): Promise<void> => adapter.releaseMigrationLock(db, lockOptions)
  let result: R
  try {
    await adapter.acquireMigrationLock(db, lockOptions)
    result = await fn()
  } catch (error) {
    await release().catch((later: unknown) => attachSuppressed(error, later))
    throw error
  }
  await release()
  return result
}

/** What the Migrator gives to an adapter; ours need none of it. */
const lockOptions = { lockTable: 'kysely_migration_lock', lockRowId: 'migration_lock' }
