import type { AdvisorWorkload } from '@keelson/indexes'
import { readFile } from 'node:fs/promises'
import { WorkloadError } from '../errors.ts'

const timeoutMs = 10_000

/**
 * Reads a workload: a file, or what an application serves at `timingHandler(timing)`.
 *
 * @param from a path, or an address with `http://` or `https://`
 * @throws {WorkloadError}
 */
export async function readWorkload(
  from: string,
  headers: readonly (readonly [string, string])[],
): Promise<AdvisorWorkload> {
  const text = /^https?:\/\//i.test(from) ? await served(from, headers) : await readText(from)
  const workload = parsed(text)
  if (isWorkload(workload)) return workload
  throw new WorkloadError(
    'INVALID_WORKLOAD',
    `${from} is no workload. Write one with \`JSON.stringify(timing.workload())\` of @keelson/timing, or \`advisor.workload()\` of createAdvisor().`,
  )
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new WorkloadError(
      'NO_WORKLOAD',
      `Cannot read ${path}: ${(error as Error).message}. Name the file that \`JSON.stringify(timing.workload())\` was written to, or the address of timingHandler(timing).`,
      { cause: error },
    )
  }
}

async function served(
  from: string,
  headers: readonly (readonly [string, string])[],
): Promise<string> {
  let why: string
  let cause: unknown
  try {
    const url = new URL(from)
    const path = url.pathname.replace(/\/+$/, '')
    url.pathname = path.endsWith('/workload.json') ? path : `${path}/workload.json`
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url, { headers: [...headers] as [string, string][], signal })
    if (response.ok) return await response.text()
    why = `it answers ${response.status}`
  } catch (error) {
    const { message } = ((error as Error).cause ?? error) as Error
    why = message
    cause = error
  }
  throw new WorkloadError(
    'NO_WORKLOAD',
    `Cannot read the workload of ${from}: ${why}. Give the address at which the application serves timingHandler(timing), and --header where it asks who is asking.`,
    { cause },
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function isWorkload(value: unknown): value is AdvisorWorkload {
  if (typeof value !== 'object' || value === null) return false
  const { v, queries, writes } = value as { v?: unknown; queries?: unknown; writes?: unknown }
  return v === 1 && Array.isArray(queries) && queries.every(isQuery) && areWrites(writes)
}

/** By database and table. */
function areWrites(writes: unknown): boolean {
  if (writes === undefined) return true
  if (typeof writes !== 'object' || writes === null) return false
  return Object.values(writes).every(
    (tables: unknown) =>
      typeof tables === 'object' &&
      tables !== null &&
      Object.values(tables).every((rows) => typeof rows === 'number'),
  )
}

function isQuery(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { text, calls } = value as { text?: unknown; calls?: unknown }
  return typeof text === 'string' && typeof calls === 'number'
}
