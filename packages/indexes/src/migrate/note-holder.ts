import { hostname } from 'node:os'

/** `123@host`: the process that leaves a note. */
export function thisProcess(): string {
  return `${process.pid}@${hostname()}`
}

/** Whether the process that left a note still runs, as far as this one can tell. */
export function mayStillRun(holder: string): boolean {
  const at = holder.indexOf('@')
  const pid = Number(holder.slice(0, at))
  if (holder.slice(at + 1) !== hostname()) return false
  if (pid === process.pid || !Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
