/**
 * A program: puts one case to one driver of one library, and prints what it sees as lines of JSON. It is a process of its
 * own because some of them never end, and some end the process.
 *
 *     CORRUPTION_POSTGRES=postgres://... node test/corruption/run-one.ts <case> <contender> <driver>
 *
 * Without CORRUPTION_POSTGRES everything but PostgreSQL works.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cases } from './cases/index.ts'
import { sleep, type Measured } from './case.ts'
import { contenders } from './contenders.ts'
import { preparePlace } from './engines/place.ts'
import { describe, type Observation, type Outcome, Told } from './observation.ts'
import type { Store } from './store.ts'

/** A line of the program's output. */
export type Line =
  | { readonly ready: true }
  | { readonly party: string; readonly outcome: Outcome }
  | { readonly observation: Observation }

const CLOSE_MS = 1500

const [caseId, contenderId, driverName] = process.argv.slice(2)
const asked = cases.find(({ id }) => id === caseId)
const contender = contenders.find(({ id }) => id === contenderId)
if (asked === undefined || contender === undefined)
  throw new Error(`There is no case ${caseId}, or no contender ${contenderId}.`)
const drivers = (await contender.load())[asked.engine] ?? []
const driver = drivers.find(({ name }) => driverName === undefined || name === driverName)
if (driver === undefined) throw new Error(`${contender.name} has no driver ${driverName}.`)

const given = process.env['CORRUPTION_DIRECTORY']
const directory = given ?? mkdtempSync(join(tmpdir(), 'keelson-corruption-'))
if (given === undefined)
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

const place = await preparePlace(
  asked.engine,
  directory,
  process.env['CORRUPTION_POSTGRES'] ?? '',
  asked.schema,
)
const told = new Told((party, outcome) => print({ party, outcome }))
print({ ready: true })

let measured: Measured | void
const closing: (() => unknown)[] = []
if ('openSync' in driver) {
  const openSync = () => {
    const store = driver.openSync(place)
    closing.push(() => store.close())
    return store
  }
  measured = await asked.runSync!({ place, told, openSync })
} else {
  const open = async (settings = {}): Promise<Store> => {
    const store = await driver.open(place, settings)
    closing.push(() => store.close())
    return store
  }
  measured = await asked.run({ place, told, open })
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
  const verdict = asked.isRight(observation) ? 'right' : 'not right'
  process.stderr.write(`${verdict}: ${describe(observation)}\n`)
}
print({ observation }, () => process.exit())

function print(line: Line, then?: () => void): void {
  process.stdout.write(`${JSON.stringify(line)}\n`, then)
}
