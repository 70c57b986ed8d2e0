import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { SqliteDatabase, SqliteOptions } from '@keelson/sqlite'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { nextTurn } from '../../support/event-loop.ts'
import { openFilesIn } from '../../support/open-files.ts'
import { temporaryDirectory, temporaryFile } from '../../support/temporary-directory.ts'
import { open } from '../fixture.ts'

export const modes = ['inline', 'threads'] as const

export type Mode = (typeof modes)[number]

/** A database in a new file, closed after the test; with threads unless `mode` says otherwise. */
export function openThreads(options: SqliteOptions = {}): SqliteDatabase {
  return open({ mode: 'threads', ...options })
}

/** The same, with an empty table `t (a)`, and with threads that have started, so that no time goes to that later. */
export async function withTable(options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const path = temporaryFile()
  new Database(path).exec('create table t (a)').close()
  const database = openThreads({ path, ...options })
  const answers = (sql: string) => (): Promise<boolean> =>
    database.execute(sql).then(
      () => true,
      (error: { code: string }) => {
        if (error.code !== 'QUERY_TIMEOUT') throw error
        return false
      },
    )
  await until(answers('select 1'), 'a reader to start')
  await until(answers('pragma user_version'), 'the writer to start')
  return database
}

/** The functions that every connection of such a database has: see programs/functions.ts. */
export const functions: URL = new URL('./programs/functions.ts', import.meta.url)

/** Statements that do not come to their end before they are told to. */
export interface Hold {
  /** An SQL expression that waits, and is 1 then. */
  readonly sql: string
  /** How many have begun to wait. */
  started(): number
  /** Waits until that many have begun. */
  begun(count?: number): Promise<void>
  /** Lets those who wait and who come later go on. */
  go(): void
}

export function hold(): Hold {
  const directory = temporaryDirectory()
  const started = (): number => readdirSync(directory).filter((name) => name !== 'go').length
  return {
    sql: `hold('${directory}')`,
    started,
    begun: (count = 1) => until(() => started() >= count, `${count} statements to begin`),
    go: () => writeFileSync(join(directory, 'go'), ''),
  }
}

/** Counts rows where they are made, in whatever thread that is. */
export function rowCounter(): { readonly sql: string; readonly count: () => number } {
  const file = temporaryFile('count')
  return {
    sql: `count_row('${file}')`,
    count: () => (existsSync(file) ? readFileSync(file).byteLength : 0),
  }
}

/** Waits for a condition, however long it takes; one that never comes true is named. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  await expect
    .poll(condition, { timeout: 50_000, interval: 2, message: `waited for ${what}` })
    .toBe(true)
}

/**
 * The threads of this process by name, without those of Node itself: the workers. None where the platform does not
 * tell.
 */
export function workerThreads(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/task')
    .filter((id) => id !== String(process.pid))
    .map(nameOf)
    .filter(
      (name) =>
        name !== '' && !/^(DelayedTaskSche|V8Worker|SignalInspector|libuv-worker)/.test(name),
    )
    .toSorted()
}

function nameOf(id: string): string {
  try {
    return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()
  } catch {
    // It has ended since the list was made.
    return ''
  }
}

/** What this process had open before something was opened. */
export interface Before {
  readonly threads: readonly string[]
  readonly resources: readonly string[]
}

export function before(): Before {
  return { threads: workerThreads(), resources: process.getActiveResourcesInfo() }
}

/** After close() nothing is open that was not open before, and the file stands alone. */
export async function expectGone(database: SqliteDatabase, earlier: Before): Promise<void> {
  expect(database.isOpen).toBe(false)
  expect(openFilesIn(dirname(database.path))).toEqual([])
  expect(readdirSync(dirname(database.path))).toEqual([basename(database.path)])
  expect(added(workerThreads(), earlier.threads)).toEqual([])
  // The runner has timers of its own, which come and go; one that was left behind by a database stays for long.
  const resources = (): string[] => added(process.getActiveResourcesInfo(), earlier.resources)
  const end = performance.now() + 1_000
  while (performance.now() < end && resources().length > 0) await nextTurn()
  expect(resources()).toEqual([])
}

/** What is there now and was not before. */
function added(now: readonly string[], earlier: readonly string[]): string[] {
  const rest = [...earlier]
  return now.filter((each) => {
    const index = rest.indexOf(each)
    if (index >= 0) rest.splice(index, 1)
    return index < 0
  })
}

/** Numbers from 0 to 1 that follow from a seed. */
export function random(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const upTo = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => index + 1)
