import { attachSuppressed } from '@keelson/core'
import { lockTimeout } from './retry.ts'
import type { SchemaLock } from './schema-lock.ts'

/** Names of such locks are the server's, not the database's, and have at most 64 characters. */
const name = `concat('keelson:', sha1(database()))`

/** MySQL commits before and after each statement of DDL; a named lock of the connection outlasts that. */
export const mysqlLock: SchemaLock = {
  async hold(pinned, { where, lockTimeoutMs }, fn) {
    const seconds = Math.max(0, Math.ceil(lockTimeoutMs / 1_000))
    const [row] = await pinned.query(`select get_lock(${name}, ${seconds}) as taken`)
    // 0: not in time; NULL: an error, such as being ended by somebody.
    if (Number(row?.['taken'] ?? 0) !== 1) throw lockTimeout(where, lockTimeoutMs)
    const release = async (): Promise<void> => {
      await pinned.query(`select release_lock(${name}) as released`)
    }
    let result
    try {
      result = await fn()
    } catch (error) {
      await release().catch((later: unknown) => attachSuppressed(error, later))
      throw error
    }
    await release()
    return result
  },
  isInTheWay: () => false,
}
