/**
 * A program: puts every case to every library and writes docs/corruption.md. With words, it runs the cases whose names
 * contain one of them, and only prints what happened.
 *
 *     npx -y pnpm@12 corruption [word...]
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../support/postgres/server.ts'
import { attempt, type Result } from './attempt.ts'
import { cases } from './cases/index.ts'
import { contenders } from './contenders.ts'
import { documentOf, type Row } from './document.ts'
import { versions } from './versions.ts'

const LIMIT_MS = 8000
/** More would be in each other's way, and in that of the clock. */
const AT_ONCE = 2

const words = process.argv.slice(2)
const wanted = cases.filter(
  ({ id }) => words.length === 0 || words.some((word) => id.includes(word)),
)
if (wanted.length === 0) throw new Error(`No case is named ${words.join(', ')}.`)

const postgres = await startPostgres()
try {
  const settings = { server: postgres.connectionString, limitMs: LIMIT_MS }
  const attempts = wanted.flatMap((asked) => contenders.map((contender) => ({ asked, contender })))
  const results = new Map<string, Result[]>()
  const nameOf = (asked: { id: string }, contender: { id: string }) => `${asked.id} ${contender.id}`
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = attempts.shift(); next !== undefined; next = attempts.shift()) {
        const { asked, contender } = next
        const came = await attempt(asked, contender, settings)
        results.set(nameOf(asked, contender), came)
        for (const { driver = '', verdict, happened } of came)
          if (happened !== '')
            console.log(`${asked.id} | ${contender.name} ${driver} | ${verdict} | ${happened}`)
      }
    }),
  )
  if (words.length === 0) {
    const rows = wanted.map((asked): Row => ({
      asked,
      cells: contenders.map((contender) => ({
        contender,
        results: results.get(nameOf(asked, contender))!,
      })),
    }))
    const page = documentOf(rows, {
      date: new Date().toISOString().slice(0, 10),
      node: process.versions.node,
      versions: await versions(postgres.connectionString),
      limitMs: LIMIT_MS,
    })
    writePage(page)
  }
} finally {
  await postgres.stop()
}

function writePage(page: string): void {
  const path = fileURLToPath(new URL('../../docs/corruption.md', import.meta.url))
  writeFileSync(path, `${page}\n`)
  const oxfmt = fileURLToPath(new URL('../../node_modules/.bin/oxfmt', import.meta.url))
  execFileSync(oxfmt, [path])
}
