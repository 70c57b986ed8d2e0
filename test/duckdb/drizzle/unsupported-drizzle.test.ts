import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryFile } from './fixture.ts'

const program = fileURLToPath(new URL('./other-drizzle.ts', import.meta.url))

interface Outcome {
  readonly edited: boolean
  readonly errors: readonly ({ readonly [name: string]: string } | null)[]
  readonly opened: boolean
}

function load(version: string, change = 'nothing'): Outcome {
  const output = execFileSync(process.execPath, [program, version, change, temporaryFile()], {
    encoding: 'utf8',
  })
  return JSON.parse(output) as Outcome
}

test.for([
  ['1.0.0-rc.5', 'other classes'],
  ['1.0.0', 'other relations'],
  ['0.43.1', 'nothing'],
  ['0.46.0', 'nothing'],
])('refuses drizzle-orm %s, with %s changed, before it opens anything', ([version, change]) => {
  const { edited, errors, opened } = load(version!, change)
  expect(edited).toBe(true)
  expect(opened).toBe(false)
  const refusal = {
    name: 'UnsupportedDrizzleError',
    code: 'UNSUPPORTED_DRIZZLE',
    installed: version,
    supported: '>=0.44.0 <0.46',
    message:
      `@keelson/duckdb/drizzle cannot work with drizzle-orm ${version}: its internals differ from those this driver ` +
      'is built on. Install drizzle-orm >=0.44.0 <0.46.',
  }
  expect(errors).toEqual([refusal, refusal, refusal, refusal])
})

test.for([
  ['no joinsNotNullableMap', 'it lacks prepared.joinsNotNullableMap.'],
  ['no decoder', 'it lacks sql.decoder.'],
  ['no typings', 'it lacks query.typings.'],
])('refuses a version in the range that has %s', ([change, reason]) => {
  const { edited, errors, opened } = load('0.45.99', change)
  expect(edited).toBe(true)
  expect(opened).toBe(false)
  for (const error of errors.slice(0, 3)) {
    expect(error).toMatchObject({ code: 'UNSUPPORTED_DRIZZLE', installed: '0.45.99' })
    expect(error!['message']).toContain(reason)
  }
})

test.for(['0.44.0', '0.44.7', '0.45.99'])('accepts %s', (version) => {
  expect(load(version!).errors.slice(0, 3)).toEqual([null, null, null])
})
