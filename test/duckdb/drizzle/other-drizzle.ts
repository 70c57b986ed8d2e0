// Loads the driver over a drizzle-orm that is another version, or lacks something, and prints how it is refused.
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'

const [version, change, path] = process.argv.slice(2) as [string, string, string]

/** The columns that 1.0 still has. */
const columns = 'bigint bigserial custom date interval json jsonb numeric time timestamp'.split(' ')

const changes: Record<string, [file: string, (source: string) => string]> = {
  // As 1.0 has it: other classes, and no PgArray.
  'other classes': [
    'pg-core/index.js',
    (source) =>
      source
        .replace(
          '"./columns/index.js"',
          columns.map((name) => `"./columns/${name}.js"`).join('; export * from '),
        )
        .replace('export * from "./session.js"', 'export class PgAsyncSession {}')
        .replace('export * from "./db.js"', 'export class PgAsyncDatabase {}'),
  ],
  // As 1.0 has it: relations of another kind.
  'other relations': [
    'index.js',
    (source) =>
      source.replace(
        'export * from "./relations.js"',
        'export { getOrderByOperators, Many, One, Relation } from "./relations.js"',
      ),
  ],
  'no joinsNotNullableMap': [
    'pg-core/query-builders/select.js',
    (source) => source.replace('query.joinsNotNullableMap = joinsNotNullableMap', ''),
  ],
  'no decoder': ['sql/sql.js', (source) => source.replaceAll('decoder', 'decode')],
  'no typings': ['sql/sql.js', (source) => source.replaceAll('typings', 'kinds')],
}
const [file, edit] = changes[change] ?? []
let edited = file === undefined

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (url.endsWith('/drizzle-orm/version.js')) {
      return { ...loaded, source: `export const npmVersion = ${JSON.stringify(version)}` }
    }
    if (file === undefined || !url.endsWith(`/drizzle-orm/${file}`)) return loaded
    const source = Buffer.from(loaded.source as Uint8Array).toString()
    edited = edit!(source) !== source
    return { ...loaded, source: edit!(source) }
  },
})

const { drizzle, migrate } = await import('@keelson/duckdb/drizzle')
const errors: unknown[] = []
for (const attempt of [
  () => drizzle(path),
  () => drizzle({ connection: path }),
  () => drizzle.mock(),
  () => migrate(undefined as never, { migrationsFolder: '.' }),
]) {
  try {
    await attempt()
    errors.push(undefined)
  } catch (error) {
    const { name, code, installed, supported, message } = error as Record<string, unknown>
    errors.push({ name, code, installed, supported, message })
  }
}
process.stdout.write(JSON.stringify({ edited, errors, opened: existsSync(path) }))
