import { existsSync, statfsSync } from 'node:fs'

const neededBytes = 4 * 2 ** 30

/**
 * A file system in memory that is large enough for what the tests write, where the machine has one. Files there are files
 * to every engine, but that nothing waits for a disk: what a disk does when the power fails, no test here can say anyhow.
 */
export function memoryDirectory(path = '/dev/shm'): string | undefined {
  if (!existsSync(path)) return undefined
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize >= neededBytes ? path : undefined
}
