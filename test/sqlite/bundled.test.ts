import { execFile } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

const program = `
import { openSqlite, SqliteStatementError } from '@keelson/sqlite'

const database = openSqlite({
  path: new URL('./app.db', import.meta.url),
  mode: 'threads',
  worker: new URL('./sqlite-worker.js', import.meta.url),
})
await database.execute('create table note (text text not null)')
await database.execute('insert into note values (?)', ['from one file'])
console.log(JSON.stringify((await database.execute('select text from note')).rows))
const refused = await database.execute('select 1; select 2').catch((error) => error)
console.log(JSON.stringify([refused instanceof SqliteStatementError, refused.code]))
const session = database.connect()
await session.begin()
await session.execute('insert into note values (?)', ['another'])
const late = await Promise.allSettled([
  session.execute('insert or rollback into note values (null)'),
  session.execute('select 1'),
])
console.log(JSON.stringify(late.map(({ reason }) => reason.code)))
await session.rollback()
console.log(JSON.stringify(await database.close()))
`

test.for([
  ['into one file', false],
  ['and made short', true],
] as const)(
  'a program that is bundled %s runs on threads, whose code is bundled into another',
  async ([, minify]) => {
    const directory = temporaryDirectory()
    const source = join(directory, 'program.ts')
    writeFileSync(source, program)
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    // What is not bundled, for it brings a binary, is found where it is installed.
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
    const inputs = { program: source, 'sqlite-worker': '@keelson/sqlite/worker' }
    for (const [name, input] of Object.entries(inputs)) {
      const bundle = await rolldown({
        input: { [name]: input },
        cwd: root,
        platform: 'node',
        external: ['better-sqlite3'],
      })
      await bundle.write({ file: join(directory, `${name}.js`), format: 'esm', minify })
      await bundle.close()
    }

    const { stdout } = await promisify(execFile)(process.execPath, [join(directory, 'program.js')])
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      [{ text: 'from one file' }],
      [true, 'MULTIPLE_STATEMENTS'],
      ['SQLITE_CONSTRAINT_NOTNULL', 'TRANSACTION_ABORTED'],
      { forced: [] },
    ])
  },
)
