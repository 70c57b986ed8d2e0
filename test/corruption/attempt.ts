import { spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { CorruptionCase, Verdict } from './case.ts'
import type { Contender } from './contenders.ts'
import { describe, isSilent, type Observation, type Outcome } from './observation.ts'
import type { Line } from './run-one.ts'
import type { Driver } from './store.ts'

/** What came of putting a case to a driver. */
export interface Result {
  /** The driver; undefined when the library has none for the engine. */
  readonly driver: string | undefined
  /** Whether the driver is not the library's own. */
  readonly isForeign?: boolean
  readonly verdict: Verdict
  /** For a wrong result: whether nobody was told of an error. */
  readonly isSilent: boolean
  readonly happened: string
}

export interface AttemptSettings {
  /** Connection string of a PostgreSQL superuser. */
  readonly server: string
  /** How long nothing may happen, in milliseconds, once everything is prepared. */
  readonly limitMs: number
  /** One process for all drivers of a library, which is loaded once then; each has its own when this is left out. */
  readonly together?: boolean
}

const compileCache = fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url))

/** How long a process may take to load and to prepare a database. */
const PREPARATION_MS = 60_000

/** Puts a case to each driver that the library has for its engine, one after the other. @returns them in that order */
export async function attempt(
  asked: CorruptionCase,
  contender: Contender,
  settings: AttemptSettings,
): Promise<Result[]> {
  const drivers = driversFor(asked, (await contender.load())[asked.engine] ?? [])
  if (drivers.length === 0 || (contender.id === 'by-hand' && asked.byHand !== true)) {
    const happened =
      contender.id === 'by-hand' ? '' : `${contender.name} has no driver for ${asked.engine}`
    return [{ driver: undefined, verdict: '-', isSilent: false, happened }]
  }
  const results: Result[] = []
  const able: Driver[] = []
  for (const driver of drivers) {
    const lacking = asked.needs?.find((ability) => driver.lacks?.[ability] !== undefined)
    if (lacking === undefined) able.push(driver)
    else {
      const happened = driver.lacks![lacking]!
      results.push({ driver: driver.name, verdict: '-', isSilent: false, happened })
    }
  }
  const groups = settings.together === true ? [able] : able.map((driver) => [driver])
  for (const group of groups) {
    if (group.length > 0) results.push(...(await runInProcess(asked, contender, group, settings)))
  }
  const place = new Map(drivers.map(({ name }, at) => [name, at]))
  return results.toSorted((a, b) => place.get(a.driver!)! - place.get(b.driver!)!)
}

/** Without those that have no promises, unless the case has a form for them. */
function driversFor(asked: CorruptionCase, drivers: readonly Driver[]): Driver[] {
  return drivers.filter((driver) => 'open' in driver || asked.runSync !== undefined)
}

async function runInProcess(
  asked: CorruptionCase,
  contender: Contender,
  drivers: readonly Driver[],
  { server, limitMs }: AttemptSettings,
): Promise<Result[]> {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'keelson-corruption-'))
  const program = fileURLToPath(new URL('run-one.ts', import.meta.url))
  const names = drivers.map(({ name }) => name)
  const child = spawn(process.execPath, [program, asked.id, contender.id, ...names], {
    env: {
      ...process.env,
      CORRUPTION_POSTGRES: server,
      CORRUPTION_DIRECTORY: directory,
      // A third less time for a process, most of which is spent on loading the same modules again.
      NODE_COMPILE_CACHE: compileCache,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let hangs = false
  const giveUp = () => {
    hangs = true
    child.kill('SIGKILL')
  }
  let limit = setTimeout(giveUp, PREPARATION_MS)
  const exited = new Promise<string>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`)),
  )
  const complaints = text(child.stderr)

  const seen = new Map<string, Seen>()
  let current: Seen | undefined
  for await (const json of createInterface({ input: child.stdout })) {
    const line = parsed(json)
    if (line === undefined) continue
    clearTimeout(limit)
    // After what was seen of one driver the next is prepared, or the process ends.
    limit = setTimeout(giveUp, 'observation' in line ? PREPARATION_MS : limitMs)
    if ('ready' in line) seen.set(line.ready, (current = { told: {} }))
    else if ('party' in line) current!.told[line.party] = line.outcome
    else current!.observation = line.observation
  }
  const end = await exited
  clearTimeout(limit)
  const stderr = await complaints
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 })

  return drivers.map((driver) => {
    const { told, observation } = seen.get(driver.name) ?? {}
    if (told === undefined) {
      throw new Error(
        `${asked.id} with ${contender.name} on ${driver.name} was not prepared (${end}).\n${stderr}`,
      )
    }
    const result = (verdict: Verdict, happened: string): Result => ({
      driver: driver.name,
      isForeign: driver.isForeign === true,
      verdict,
      isSilent: verdict === 'wrong' && isSilent(observation!),
      happened,
    })
    const before = describe({ told })
    const soFar = before === '' ? '' : `${before}; then `
    if (observation !== undefined) return result(judge(asked, observation), describe(observation))
    if (hangs) return result('hangs', `${soFar}nothing for ${limitMs / 1000} s`)
    return result('crashes', `${soFar}the process ended: ${lastWords(stderr) ?? end}`)
  })
}

/** What a process has told of one driver. */
interface Seen {
  readonly told: Record<string, Outcome>
  observation?: Observation
}

function judge(asked: CorruptionCase, observation: Observation): Verdict {
  if (asked.isRefused?.(observation) === true) return '-'
  return asked.isRight(observation) ? 'right' : 'wrong'
}

/** Libraries print too. */
function parsed(line: string): Line | undefined {
  try {
    return JSON.parse(line) as Line
  } catch {
    return undefined
  }
}

/** The error with which Node says that it ends. */
function lastWords(stderr: string): string | undefined {
  const lines = stderr.split('\n').map((line) => line.trim())
  const error = lines.find((line) => /^(?:Uncaught )?\w*Error\b.*:/i.test(line))
  const isUnheard = lines.some((line) => line.includes("Unhandled 'error' event"))
  return error && (isUnheard ? `unhandled 'error' event, ${error}` : error)
}
