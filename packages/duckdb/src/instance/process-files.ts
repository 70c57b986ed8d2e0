import { fstatSync, readdirSync, readFileSync, statSync, type BigIntStats } from 'node:fs'

/** What the file system knows a file by, whatever it is called. */
export interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
}

/** `undefined` when there is no such file. */
export function fileIdentity(path: string): FileIdentity | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats && identity(stats)
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.device === b.device && a.inode === b.inode
}

/**
 * How often this process has a file open, in all its threads and whoever opened it. The lock by which DuckDB keeps
 * other processes out does not keep out the own one (https://man7.org/linux/man-pages/man2/fcntl.2.html).
 *
 * @param forWriting counts only what may write
 * @returns `undefined` where the system does not tell; Windows does not, and keeps a second opening out by itself
 */
export function openCount(file: FileIdentity, forWriting = false): number | undefined {
  let names: string[]
  try {
    names = readdirSync('/dev/fd')
  } catch {
    return undefined
  }
  return names.filter((name) => {
    try {
      const isIt = isSameFile(identity(fstatSync(Number(name), { bigint: true })), file)
      return isIt && (!forWriting || mayWrite(name))
    } catch {
      // Closed since: among others the one that listed the directory.
      return false
    }
  }).length
}

/** https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html: the last two bits are 0 for reading only. */
function mayWrite(descriptor: string): boolean {
  const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')
  const [, flags = '0'] = /^flags:\s*([0-7]+)/m.exec(info) ?? []
  return (Number.parseInt(flags, 8) & 3) !== 0
}

function identity(stats: BigIntStats): FileIdentity {
  return { device: stats.dev, inode: stats.ino }
}
