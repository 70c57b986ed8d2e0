import type { DuckDBInstance } from '@duckdb/node-api'
import { describeValue, OptionError } from '@keelson/core'
import { Interruption } from '../connection/interruption.ts'
import { ThreadBudget } from '../connection/thread-budget.ts'
import { DuckDBOpenError } from '../errors.ts'
import type { ResolvedDuckDBOptions } from '../options.ts'
import { realPath } from '../path.ts'
import { applyConnectionSettings } from './apply-settings.ts'
import { collectGarbage } from './garbage.ts'
import { openInstance } from './open-instance.ts'
import { type FileIdentity, fileIdentity, isSameFile, openCount } from './process-files.ts'
import { inTurn } from './process-turn.ts'
import { refuseSqlite } from './refuse-sqlite.ts'
import { connectionSettingsOf, isSameValue, type Setting, settingsOf } from './settings.ts'

/** An instance, and the duty to give it back exactly once. */
export interface InstanceLease {
  readonly instance: DuckDBInstance
  /** The real path of its file, or `':memory:'`. */
  readonly path: string
  /** What it was opened with, for all who use it. */
  readonly settings: readonly Setting[]
  /**
   * Closes the instance when nobody else uses it, after a checkpoint in the background. Every connection has to be closed.
   *
   * @returns whether its file has stayed open, because something else still holds the instance
   */
  release(): Promise<boolean>
}

interface SharedInstance {
  readonly path: string
  readonly settings: readonly Setting[]
  readonly opening: Promise<DuckDBInstance>
  /** Known once it is open. */
  file: FileIdentity | undefined
  users: number
  /** How often the last user has left. */
  departures: number
  /** Settles when none is under way: the file would stay open for as long as one is. */
  checkpoint: Promise<void>
}

/**
 * One instance for each file in this process. Two of them would not know of each other, and the one that writes last
 * would undo what the other has committed. Every copy of this package uses the same list.
 */
function sharedInstances(): Set<SharedInstance> {
  const host = globalThis as { [key]?: Set<SharedInstance> }
  return (host[key] ??= new Set())
}

const key = Symbol.for('keelson.duckdb.instances')

/** Opens the file, or joins those who have it open in this process. */
export async function leaseInstance(
  path: string,
  options: ResolvedDuckDBOptions,
): Promise<InstanceLease> {
  const settings = settingsOf(options)
  const lease =
    path === ':memory:'
      ? memoryLease(await openInstance(path, settings), settings)
      : await joinOrOpen(realPath(path, options.readOnly), settings)
  try {
    await tryConnectionSettings(lease.instance, connectionSettingsOf(options))
    return lease
  } catch (error) {
    await lease.release()
    throw error
  }
}

async function joinOrOpen(real: string, settings: readonly Setting[]): Promise<InstanceLease> {
  const instances = sharedInstances()
  const shared = find(instances, real) ?? add(instances, real, settings)
  checkSame(shared, settings)
  shared.users++
  try {
    return sharedLease(instances, shared, await shared.opening)
  } catch (error) {
    instances.delete(shared)
    throw error
  }
}

/** Each connection is given them when it is opened, which is too late to tell that they cannot be. */
async function tryConnectionSettings(
  instance: DuckDBInstance,
  settings: readonly Setting[],
): Promise<void> {
  if (settings.length === 0) return
  const connection = await instance.connect()
  try {
    await applyConnectionSettings(connection, settings)
  } finally {
    connection.closeSync()
  }
}

function memoryLease(instance: DuckDBInstance, settings: readonly Setting[]): InstanceLease {
  const release = async (): Promise<boolean> => {
    instance.closeSync()
    return false
  }
  return { instance, path: ':memory:', settings, release }
}

function sharedLease(
  instances: Set<SharedInstance>,
  shared: SharedInstance,
  instance: DuckDBInstance,
): InstanceLease {
  const { path, settings } = shared
  let isReleased = false
  const release = async (): Promise<boolean> => {
    if (isReleased) return false
    isReleased = true
    if (--shared.users > 0) return false
    const departure = ++shared.departures
    if (!isReadOnly(settings))
      shared.checkpoint = shared.checkpoint.then(() => checkpointLast(instance, path))
    await shared.checkpoint
    // Somebody may have come meanwhile, and may have left again: then it is theirs to close.
    if (shared.users > 0 || shared.departures !== departure) return false
    instances.delete(shared)
    instance.closeSync()
    if (!isStillOpen(shared)) return false
    await collectGarbage()
    return isStillOpen(shared)
  }
  return { instance, path, settings, release }
}

function isStillOpen({ file }: SharedInstance): boolean {
  return file !== undefined && (openCount(file) ?? 0) > 0
}

function isReadOnly(settings: readonly Setting[]): boolean {
  return settings.some(({ name, value }) => name === 'access_mode' && value === 'READ_ONLY')
}

/** How long closing waits for a thread of its own, while queries of other databases have them all. */
const patienceMs = 2_000

/** In the background, where closing would do it with the event loop standing still. */
async function checkpointLast(instance: DuckDBInstance, path: string): Promise<void> {
  const waiting = new Interruption()
  const timer = setTimeout(() => waiting.abort(tooLate), patienceMs)
  try {
    await ThreadBudget.shared.run(async () => {
      clearTimeout(timer)
      const connection = await instance.connect()
      try {
        await connection.run('checkpoint')
      } finally {
        connection.closeSync()
      }
    }, waiting)
  } catch (error) {
    // Closing tries once more, and the WAL holds everything that was committed.
    if (error === tooLate) return
    const { message } = error as Error
    const warning = new Error(`The WAL of ${path} could not be checkpointed: ${message}`, {
      cause: error,
    })
    warning.name = 'KeelsonWarning'
    process.emitWarning(warning)
  }
}

const tooLate = new Error('No thread was free.')

/** By the file itself, since a hard link is another path to it. */
function find(instances: Set<SharedInstance>, path: string): SharedInstance | undefined {
  const file = fileIdentity(path)
  for (const shared of instances) {
    const other = shared.file ?? fileIdentity(shared.path)
    if (file !== undefined && other !== undefined && isSameFile(file, other)) return shared
    if (shared.path !== path) continue
    if (shared.file === undefined) return shared
    throw new DuckDBOpenError(
      'OPEN_IN_THIS_PROCESS',
      `${path} was deleted or replaced while it was open in this process, and two instances with one name write the ` +
        'same WAL. Close the database that has the old file open first.',
    )
  }
  return undefined
}

function add(
  instances: Set<SharedInstance>,
  path: string,
  settings: readonly Setting[],
): SharedInstance {
  const opening = inTurn(path, () => openAlone(path, settings))
  const shared: SharedInstance = {
    path,
    settings,
    opening: opening.then((instance) => {
      shared.file = fileIdentity(path)
      return instance
    }),
    file: undefined,
    users: 0,
    departures: 0,
    checkpoint: Promise.resolve(),
  }
  instances.add(shared)
  return shared
}

async function openAlone(path: string, settings: readonly Setting[]): Promise<DuckDBInstance> {
  const file = fileIdentity(path)
  if (file !== undefined) {
    refuseOpen(path, file, 0, isReadOnly(settings))
    refuseSqlite(path)
  }
  const instance = await openInstance(path, settings)
  try {
    // Somebody else may have opened it at the same time, who does not wait for this package.
    refuseOpen(path, fileIdentity(path), 1, isReadOnly(settings))
  } catch (error) {
    instance.closeSync()
    throw error
  }
  return instance
}

function refuseOpen(
  path: string,
  file: FileIdentity | undefined,
  own: number,
  readOnly: boolean,
): void {
  // Two that only read do each other no harm. A process has what its parent reads: DuckDB passes those files on.
  const count = file && openCount(file, readOnly)
  if (count === undefined || count <= (readOnly ? 0 : own)) return
  throw new DuckDBOpenError(
    'OPEN_IN_THIS_PROCESS',
    `${path} is open in this process already, and not by this package in this thread: two instances on one file ` +
      'undo what the other has committed. Close it there (a DuckDB instance closes with its last connection, stream ' +
      'and appender), pass that instance as `instance`, or use one database in one thread.',
  )
}

function checkSame(shared: SharedInstance, settings: readonly Setting[]): void {
  const differing = [...settings, ...shared.settings].find(
    ({ name }) => !isSameValue(named(shared.settings, name), named(settings, name)),
  )
  if (differing === undefined) return
  const { name, option } = differing
  throw new OptionError(
    'INVALID_OPTION',
    option,
    `openDuckDB() cannot open ${shared.path} with \`${option}\` ${said(settings, name)}: it is open in this process ` +
      `with ${said(shared.settings, name)}, and there is one instance for each file. Give the same options, or share the database.`,
  )
}

function named(settings: readonly Setting[], name: string): Setting | undefined {
  return settings.find((setting) => setting.name.toLowerCase() === name.toLowerCase())
}

function said(settings: readonly Setting[], name: string): string {
  const setting = named(settings, name)
  return setting === undefined ? 'left out' : describeValue(setting.given)
}
