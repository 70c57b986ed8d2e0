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
import { openSqlite } from '@keelson/sqlite'

const database = openSqlite({
  path: new URL('./app.db', import.meta.url),
  mode: 'threads',
  worker: new URL('./sqlite-worker.js', import.meta.url),
})
await database.execute('create table note (text text not null)')
await database.execute('insert into note values (?)', ['from one file'])
console.log(JSON.stringify((await database.execute('select text from note')).rows))
console.log(JSON.stringify(await database.close()))
`

test('a program that is bundled into one file runs on threads, whose code is bundled into another', async () => {
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
    await bundle.write({ file: join(directory, `${name}.js`), format: 'esm' })
    await bundle.close()
  }

  const { stdout } = await promisify(execFile)(process.execPath, [join(directory, 'program.js')])
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([[{ text: 'from one file' }], { forced: [] }])
})
