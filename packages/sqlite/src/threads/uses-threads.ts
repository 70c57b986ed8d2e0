import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { OptionError } from '@keelson/core'
import type { ResolvedSqliteOptions } from '../options.ts'

/**
 * File systems of other machines, by the number that Linux has for them (statfs(2)). Write-ahead logs need memory that all
 * connections share: https://www.sqlite.org/wal.html
 */
const remote: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2
  0x01021997, // 9P
  0x65735546, // FUSE
  0x5346414f, // AFS
  0x00c36400, // Ceph
])

/**
 * Whether a database runs on threads.
 *
 * @throws {OptionError} where threads were asked for, and each would have a database of its own
 */
export function usesThreads(file: string, { mode }: ResolvedSqliteOptions): boolean {
  if (mode === 'inline') return false
  if (file !== ':memory:') return mode === 'threads' || !isRemote(file)
  if (mode === 'auto') return false
  throw new OptionError(
    'INVALID_OPTION',
    'mode',
    "openSqlite() cannot run ':memory:' on threads: each connection would have an empty database of its own. Use `mode: 'auto'`, or a file.",
  )
}

function isRemote(file: string): boolean {
  // Elsewhere the numbers mean something else, or nothing.
  return process.platform === 'linux' && remote.has(statfsSync(dirname(file)).type)
}
