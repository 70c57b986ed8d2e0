import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { attempt } from './attempt.ts'
import { cases } from './cases/index.ts'
import { contenders } from './contenders.ts'
import { titlesOf } from './document.ts'

/** A machine under load is not a hang. */
const LIMIT_MS = 30_000

const ours = contenders.filter(({ isOurs }) => isOurs)

describe('Keelson on Kysely and on Drizzle', () => {
  test.for(cases)('$title', { timeout: 300_000 }, async (asked) => {
    const server = asked.engine === 'PostgreSQL' ? (await postgres()).connectionString : ''
    const results = await Promise.all(
      ours.map(async (contender) => {
        const attempts = await attempt(asked, contender, {
          server,
          limitMs: LIMIT_MS,
          together: true,
        })
        return attempts.map((result) => ({ contender: contender.name, ...result }))
      }),
    )
    expect(
      results.flat().filter(({ verdict }) => verdict !== 'right' && verdict !== '-'),
      `right is: ${asked.right}`,
    ).toEqual([])
  })
})

test('docs/corruption.md tells of these cases, in this order', () => {
  const page = readFileSync(new URL('../../docs/corruption.md', import.meta.url), 'utf8')
  expect(titlesOf(page), 'run `pnpm corruption` again').toEqual(cases.map(({ title }) => title))
})

test('no two cases have one name', () => {
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length)
  expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length)
})
