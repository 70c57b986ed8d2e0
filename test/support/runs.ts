import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const isSoak = process.env['SOAK'] === '1'

/** How often a property or a random program runs: `soak` times under `pnpm test:soak`, else `ordinary` times. */
export function runs(ordinary: number, soak: number): number {
  return isSoak ? soak : ordinary
}

/** The seed of everything random in a test file. `SEED` in the environment repeats an earlier run. */
export const seed: number = seedOf(process.env['SEED'])

console.info(`seed ${seed}; repeat with SEED=${seed}`)

/**
 * Keeps the result of a soak in `test/soak/results/<name>.json`, where it joins what is there already. An ordinary run
 * keeps nothing.
 *
 * @param result counts and durations, for example `{ operations: 100_000, durationMs: 8_000 }`
 */
export function record(name: string, result: Readonly<Record<string, unknown>>): void {
  if (!isSoak) return
  const directory = new URL('../soak/results/', import.meta.url)
  const file = new URL(`${name}.json`, directory)
  mkdirSync(directory, { recursive: true })
  const entry = {
    ...read(file),
    ...result,
    seed,
    node: process.version,
    date: new Date().toISOString(),
  }
  writeFileSync(file, `${JSON.stringify(entry, undefined, 2)}\n`)
}

function seedOf(given: string | undefined): number {
  if (given === undefined) return Math.floor(Math.random() * 2 ** 31)
  const value = Number(given)
  if (!Number.isInteger(value))
    throw new Error(`SEED is ${JSON.stringify(given)}. It takes a whole number.`)
  return value
}

function read(file: URL): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}
