/** Over 300 lines, being one subject: the files of a spill, from what a crash has left to the last segment that is deleted. */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
} from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Entry } from '../entry.ts'
import { SpillError } from '../errors.ts'
import { keepDeadLetters } from './dead-letters.ts'
import { checkpointRecord, rowRecord, scanSegment, segmentHeader } from './segment.ts'
import { takeSpillLock } from './spill-lock.ts'

/** When what is written to the spill is made to survive a power cut, too: before it is acknowledged, or every so often. */
export type FsyncPolicy = 'each' | { readonly intervalMs: number }

export interface SpilledRow {
  readonly sequence: number
  readonly payload: string
}

interface Segment {
  readonly path: string
  /** The largest number in it. */
  lastSequence: number
}

/** The segment that is written to. */
interface ActiveSegment extends Segment {
  readonly file: FileHandle
  bytes: number
}

/** A segment that has become so large is followed by a new one. */
const segmentBytes = 8 * 1024 * 1024

/**
 * Rows on disk that are not in the table yet: segments that are only ever appended to, in a directory of their own. What
 * is added while a write is under way goes into the next one, so that many rows share an fsync.
 */
export class Spill {
  #left: readonly SpilledRow[]
  readonly #directory: string
  readonly #fsync: FsyncPolicy
  readonly #unlock: () => void
  /** Segments that are complete, the oldest first. */
  readonly #complete: Segment[]
  #number: number
  #sequence: number
  #decided = 0
  #active: ActiveSegment | undefined
  #entries: Entry[] = []
  /** Entries that are being written. */
  #writing: readonly Entry[] = []
  #hasCheckpoint = false
  #work: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #broken: SpillError | undefined
  #durable!: (entries: readonly Entry[]) => void
  #failed!: (entries: readonly Entry[], error: SpillError) => void

  /**
   * Opens the spill in a directory, which is made where there is none.
   *
   * @throws {SpillError} when another buffer has it, or its files are damaged
   */
  static open(directory: string, fsync: FsyncPolicy): Spill {
    mkdirSync(directory, { recursive: true })
    const unlock = takeSpillLock(directory)
    try {
      return new Spill(directory, fsync, unlock)
    } catch (error) {
      unlock()
      throw error
    }
  }

  private constructor(directory: string, fsync: FsyncPolicy, unlock: () => void) {
    this.#directory = directory
    this.#fsync = fsync
    this.#unlock = unlock
    const names = readdirSync(directory)
      .filter((name) => /^\d+\.segment$/.test(name))
      .toSorted((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
    const rows: SpilledRow[] = []
    this.#complete = names.map((name, at) => {
      const path = join(directory, name)
      const scan = readSegment(path, at === names.length - 1)
      this.#decided = Math.max(this.#decided, scan.checkpoint)
      for (const row of scan.rows) rows.push(row)
      return { path, lastSequence: scan.lastSequence }
    })
    this.#number = Number.parseInt(names.at(-1) ?? '0', 10)
    this.#left = rows.filter(({ sequence }) => sequence > this.#decided)
    this.#sequence = Math.max(this.#decided, ...this.#complete.map((each) => each.lastSequence))
    if (this.#left.length === 0) {
      for (const { path } of this.#complete.splice(0)) unlinkSync(path)
      syncDirectory(directory)
    }
  }

  /** Says who is told of entries that are on disk, or could not be brought there. */
  listen(
    durable: (entries: readonly Entry[]) => void,
    failed: (entries: readonly Entry[], error: SpillError) => void,
  ): void {
    this.#durable = durable
    this.#failed = failed
  }

  /** What an earlier process has left, in order; whoever takes it has it. */
  takeLeft(): readonly SpilledRow[] {
    const left = this.#left
    this.#left = []
    return left
  }

  /** The first entry that is not on disk yet. */
  get first(): Entry | undefined {
    return this.#writing[0] ?? this.#entries[0]
  }

  /** Why nothing can be written to it any more. */
  get broken(): SpillError | undefined {
    return this.#broken
  }

  append(entry: Entry): void {
    entry.sequence = ++this.#sequence
    this.#entries.push(entry)
    this.#begin()
  }

  /** @throws {SpillError} when they cannot be kept */
  async bury(dead: readonly { readonly entry: Entry; readonly error: unknown }[]): Promise<void> {
    try {
      await keepDeadLetters(this.#directory, dead)
    } catch (error) {
      throw failedError(`keep ${dead.length} rejected rows`, this.#directory, error)
    }
  }

  /** All rows up to this one are decided: what holds only such rows is deleted. */
  decided(sequence: number): void {
    if (sequence <= this.#decided) return
    this.#decided = sequence
    this.#hasCheckpoint = true
    this.#begin()
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    while (this.#work !== undefined) await this.#work
  }

  /** Closes the files and gives the spill free. What is all decided leaves nothing behind. */
  async close(): Promise<void> {
    await this.idle()
    clearTimeout(this.#timer)
    this.#timer = undefined
    try {
      await this.#finishActive()
      if (this.#decided >= this.#sequence) await this.#remove(() => true)
    } finally {
      this.#unlock()
    }
  }

  #begin(): void {
    this.#work ??= this.#run()
  }

  async #run(): Promise<void> {
    // What is added in the same turn goes along.
    await Promise.resolve()
    while (this.#entries.length > 0 || this.#hasCheckpoint) {
      const entries = this.#entries
      const hasCheckpoint = this.#hasCheckpoint
      this.#writing = entries
      this.#entries = []
      this.#hasCheckpoint = false
      const records = entries.map(({ sequence, payload }) => rowRecord(sequence, payload!))
      if (hasCheckpoint) records.push(checkpointRecord(this.#decided))
      try {
        if (this.#broken !== undefined) throw this.#broken
        await this.#write(Buffer.concat(records), entries.at(-1)?.sequence ?? this.#decided)
        if (entries.length > 0) await this.#sync()
      } catch (error) {
        this.#writing = []
        this.#failed(entries, failedError('write a row', this.#directory, error))
        continue
      }
      this.#writing = []
      if (entries.length > 0) this.#durable(entries)
      if (hasCheckpoint) await this.#forget()
    }
    // At once: whoever adds something from here on begins anew.
    this.#work = undefined
  }

  async #write(records: Buffer, lastSequence: number): Promise<void> {
    if (this.#active !== undefined && this.#active.bytes > segmentBytes) await this.#finishActive()
    const active = (this.#active ??= await this.#create())
    try {
      await writeAll(active.file, records, active.bytes)
    } catch (error) {
      // Whatever comes later must not stand behind half a record.
      await active.file.truncate(active.bytes).catch((later: unknown) => this.#break(later))
      throw error
    }
    active.bytes += records.length
    active.lastSequence = Math.max(active.lastSequence, lastSequence)
  }

  async #sync(): Promise<void> {
    if (this.#fsync === 'each') await this.#syncActive()
    else this.#timer ??= setTimeout(() => void this.#syncLater(), this.#fsync.intervalMs)
  }

  async #syncLater(): Promise<void> {
    this.#timer = undefined
    await this.#syncActive().catch(() => {})
  }

  async #syncActive(): Promise<void> {
    try {
      await this.#active?.file.datasync()
    } catch (error) {
      // What a failed fsync has left in the cache of the system is not to be trusted: https://lwn.net/Articles/752063/
      this.#break(error)
      throw error
    }
  }

  async #create(): Promise<ActiveSegment> {
    const number = ++this.#number
    const path = join(this.#directory, `${String(number).padStart(10, '0')}.segment`)
    const file = await open(path, 'wx')
    try {
      await writeAll(file, segmentHeader, 0)
      syncDirectory(this.#directory)
    } catch (error) {
      await file.close()
      unlinkSync(path)
      throw error
    }
    return { path, file, bytes: segmentHeader.length, lastSequence: 0 }
  }

  /** Closes the segment that is written to. */
  async #finishActive(): Promise<void> {
    const active = this.#active
    if (active === undefined) return
    if (this.#broken === undefined) await active.file.datasync()
    await active.file.close()
    this.#active = undefined
    this.#complete.push({ path: active.path, lastSequence: active.lastSequence })
  }

  async #forget(): Promise<void> {
    // A checkpoint stands in a segment that is younger than what it tells of.
    await this.#remove(({ lastSequence }) => lastSequence <= this.#decided)
  }

  /** Deletes the oldest segments; one that cannot be deleted now is tried again, at the latest by who opens the spill next. */
  async #remove(isOver: (segment: Segment) => boolean): Promise<void> {
    while (this.#complete.length > 0 && isOver(this.#complete[0]!)) {
      try {
        await unlink(this.#complete[0]!.path)
      } catch {
        return
      }
      this.#complete.shift()
    }
  }

  #break(error: unknown): void {
    this.#broken ??= failedError('be written any more', this.#directory, error)
  }
}

function readSegment(path: string, isLast: boolean): ReturnType<typeof scanSegment> {
  const bytes = readFileSync(path)
  const scan = scanSegment(bytes)
  const rest = bytes.length - scan.goodBytes
  if (rest === 0) return scan
  if (scan.isDamaged || !isLast) {
    throw new SpillError(
      'SPILL_CORRUPT',
      `createWriteBuffer() cannot read the spill: ${JSON.stringify(path)} is damaged from byte ${scan.goodBytes} of ${bytes.length} on, ` +
        'and not where a crash would have left it, so that acknowledged rows may be lost. Nothing was changed. Restore the ' +
        'file, or move it away to go on without its rows.',
    )
  }
  // What a crash has left of its last write was never acknowledged.
  const file = openSync(path, 'r+')
  try {
    ftruncateSync(file, scan.goodBytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return scan
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at)
    at += bytesWritten
  }
}

/** Makes a file's being there survive a power cut. */
function syncDirectory(path: string): void {
  // Windows opens no directories, and needs none of this.
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function failedError(what: string, directory: string, cause: unknown): SpillError {
  if (cause instanceof SpillError) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  return new SpillError(
    'SPILL_FAILED',
    `The spill ${JSON.stringify(directory)} cannot ${what}: ${text}. What it acknowledged before is kept.`,
    { cause },
  )
}
