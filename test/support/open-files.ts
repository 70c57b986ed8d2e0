import { readdirSync, readlinkSync } from 'node:fs'

/** Whether this platform tells which files a process has open. */
const tellsOpenFiles = process.platform === 'linux'

/** The files in a directory that this process has open; none where the platform does not tell. */
export function openFilesIn(directory: string): string[] {
  if (!tellsOpenFiles) return []
  return readdirSync('/proc/self/fd')
    .map(linkOf)
    .filter((file) => file.startsWith(directory))
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // The descriptor with which the list itself was read.
    return ''
  }
}
