import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { SpillError } from '../errors.ts'

/** Who has a spill. */
interface Owner {
  readonly host: string
  readonly pid: number
  /** The boot of the machine; pids begin anew with each. */
  readonly boot: string
  /** When the process was started, where the system tells: a pid is given again, in a container at once. */
  readonly started: string
}

/** A lock that is just being made has no text yet. */
const youngMs = 5_000

/**
 * Takes the lock of a spill, which keeps a second buffer off it, in this process or another. What a process has left that
 * was killed is taken over.
 *
 * @returns what gives it back
 * @throws {SpillError} `SPILL_LOCKED` when somebody has it
 */
export function takeSpillLock(directory: string): () => void {
  const path = join(directory, 'lock')
  const owner = JSON.stringify(self())
  for (let attempt = 0; attempt < 3; attempt++) {
    if (create(path, owner)) return () => release(path, owner)
    removeIfLeft(path, directory)
  }
  throw lockedError(directory, 'others are taking it at this moment')
}

function create(path: string, text: string): boolean {
  let file: number
  try {
    file = openSync(path, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  try {
    // It need not survive a power cut: it would be that of an earlier boot.
    writeSync(file, text)
  } finally {
    closeSync(file)
  }
  return true
}

/** Removes a lock whose owner is gone. */
function removeIfLeft(path: string, directory: string): void {
  const text = read(path)
  if (text === undefined) return
  const holder = holderOf(text, path)
  if (holder !== undefined) throw lockedError(directory, holder)
  // Two may find it left at once: what was moved away has to be what was looked at, or it is somebody's new lock.
  const aside = `${path}.left-${process.pid}-${process.hrtime.bigint()}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (read(aside) === text) {
    unlinkSync(aside)
    return
  }
  renameSync(aside, path)
  throw lockedError(directory, 'another process has just taken it')
}

/** Who has the lock, in words; undefined when nobody has any more. */
function holderOf(text: string, path: string): string | undefined {
  const owner = parse(text)
  if (owner === undefined) {
    const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    return ageMs < youngMs ? 'another process is taking it at this moment' : undefined
  }
  const here = self()
  if (owner.host !== here.host) {
    return (
      `the lock is of process ${owner.pid} on ${JSON.stringify(owner.host)}, which cannot be seen from ` +
      `${JSON.stringify(here.host)}. If that is gone, delete ${path}`
    )
  }
  if (owner.boot !== here.boot || !isAlive(owner.pid)) return undefined
  if (owner.started !== startOf(owner.pid)) return undefined
  return owner.pid === here.pid
    ? 'another buffer of this process has it'
    : `process ${owner.pid} has it`
}

function release(path: string, owner: string): void {
  if (read(path) === owner) unlinkSync(path)
}

function lockedError(directory: string, why: string): SpillError {
  return new SpillError(
    'SPILL_LOCKED',
    `createWriteBuffer() cannot open the spill ${JSON.stringify(directory)}: ${why}. Two buffers need two spills.`,
  )
}

function self(): Owner {
  return { host: hostname(), pid: process.pid, boot: bootId(), started: startOf(process.pid) }
}

function parse(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null
    return typeof owner?.pid === 'number' ? (owner as Owner) : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

/** The 22nd field of a process's state, in ticks since the boot; the name before it may have any character in it. */
function startOf(pid: number): string {
  const text = read(`/proc/${pid}/stat`) ?? ''
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
