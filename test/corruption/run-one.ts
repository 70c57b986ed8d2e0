/**
 * A program: puts one case to drivers of one library, one after the other, and prints what it sees as lines of JSON. It is a
 * process of its own because some of them never end, and some end the process.
 *
 *     CORRUPTION_POSTGRES=postgres://... node test/corruption/run-one.ts <case> <contender> <driver...>
 *
 * Without CORRUPTION_POSTGRES everything but PostgreSQL works.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cases } from './cases/index.ts'
import { type CorruptionCase, sleep, type Measured } from './case.ts'
import { contenders } from './contenders.ts'
import { preparePlace } from './engines/place.ts'
import { describe, type Observation, type Outcome, Told } from './observation.ts'
import type { Driver, Store } from './store.ts'

/** A line of the program's output. */
export type Line =
  /** A database is prepared for the driver. */
  | { readonly ready: string }
  | { readonly party: string; readonly outcome: Outcome }
  | { readonly observation: Observation }

const CLOSE_MS = 1500

const [caseId, contenderId, ...driverNames] = process.argv.slice(2)
const asked = cases.find(({ id }) => id === caseId)
const contender = contenders.find(({ id }) => id === contenderId)
if (asked === undefined || contender === undefined)
  throw new Error(`There is no case ${caseId}, or no contender ${contenderId}.`)
const all = (await contender.load())[asked.engine] ?? []
const drivers = driverNames.map((wanted) => {
  const driver = all.find(({ name }) => name === wanted)
  if (driver === undefined) throw new Error(`${contender.name} has no driver ${wanted}.`)
  return driver
})

for (const driver of drivers.length > 0 ? drivers : all.slice(0, 1)) await put(asked, driver)
process.stdout.write('', () => process.exit())

async function put(
  { engine, schema, run, runSync, isRight }: CorruptionCase,
  driver: Driver,
): Promise<void> {
  const given = process.env['CORRUPTION_DIRECTORY']
  const directory = mkdtempSync(join(given ?? tmpdir(), 'keelson-corruption-'))
  if (given === undefined)
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

  const server = process.env['CORRUPTION_POSTGRES'] ?? ''
  const place = await preparePlace(engine, directory, server, schema)
  const told = new Told((party, outcome) => print({ party, outcome }))
  print({ ready: driver.name })

  let measured: Measured | void
  const closing: (() => unknown)[] = []
  if ('openSync' in driver) {
    const openSync = () => {
      const store = driver.openSync(place)
      closing.push(() => store.close())
      return store
    }
    measured = await runSync!({ place, told, openSync })
  } else {
    const open = async (settings = {}): Promise<Store> => {
      const store = await driver.open(place, settings)
      closing.push(() => store.close())
      return store
    }
    measured = await run({ place, told, open })
  }
  // What counts is what is left when the application is gone. PGlite is gone itself then, so it is asked before.
  const early = place.pglite === undefined ? undefined : await place.rows()
  const closed = Promise.allSettled(closing.map(async (close) => await close()))
  await Promise.race([closed, sleep(CLOSE_MS)])
  const observation = {
    rows: early ?? (await place.rows()),
    told: told.outcomes,
    measured: measured ?? {},
  }
  if (given === undefined) {
    const verdict = isRight(observation) ? 'right' : 'not right'
    process.stderr.write(`${driver.name}: ${verdict}: ${describe(observation)}\n`)
  }
  print({ observation })
}

function print(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
