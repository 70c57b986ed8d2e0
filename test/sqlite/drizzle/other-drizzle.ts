// Loads the driver over a drizzle-orm that is another version, or lacks something, and prints how it is refused.
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'

const [version, change, path] = process.argv.slice(2) as [string, string, string]

const changes: Record<string, [file: string, (source: string) => string]> = {
  // As 1.0 has it: other classes, and relations of another kind.
  'other classes': [
    'sqlite-core/index.js',
    () => 'export class SQLiteDialect {}; export class SQLiteAsyncSession {}',
  ],
  'no joinsNotNullableMap': [
    'sqlite-core/query-builders/select.js',
    (source) => source.replace('query.joinsNotNullableMap = this.joinsNotNullableMap', ''),
  ],
  'no decoder': ['sql/sql.js', (source) => source.replaceAll('decoder', 'decode')],
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

const { drizzle, migrate } = await import('@keelson/sqlite/drizzle')
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
