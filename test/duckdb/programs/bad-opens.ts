// Opens databases in every wrong way and says what comes of each, one line of JSON per way; then which files are open,
// and that a good database can be opened where a bad one was. It has to end by itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DuckDBOptions, openDuckDB } from '@keelson/duckdb'
import { badOpens, unprivileged } from '../bad-opens.ts'

const [root] = process.argv.slice(2) as [string]
// For the ways that are tried without privileges.
chmodSync(root, 0o755)
const holder = fileURLToPath(new URL('./holder.ts', import.meta.url))

for (const [index, { name, make, isUnprivileged }] of badOpens.entries()) {
  const directory = join(root, String(index))
  mkdirSync(directory)
  const holders: ReturnType<typeof spawn>[] = []
  const options = await make({
    directory,
    async hold(path, accessMode) {
      const child = spawn(process.execPath, [holder, path, accessMode], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      holders.push(child)
      await once(child.stdout!, 'data')
    },
  })
  const open = async (): Promise<unknown> => openDuckDB(options as DuckDBOptions)
  const outcome = await (isUnprivileged === true ? unprivileged(open) : open()).then(
    () => ({ name, opened: true }),
    ({ name: error, code, option, message, cause }) => ({
      name,
      error,
      code,
      option,
      message,
      hasCause: cause instanceof Error,
    }),
  )
  console.log(JSON.stringify(outcome))
  for (const child of holders) {
    child.stdin!.end()
    await once(child, 'exit')
  }
}

const isOpen = readdirSync('/proc/self/fd').map((fd) => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
})
console.log(JSON.stringify(isOpen.filter((file) => file.startsWith(root))))

// The last bad one was a good file that another process had open.
const database = await openDuckDB(join(root, String(badOpens.length - 1), 'app.duckdb'))
const { rows } = await database.execute('select a from t')
await database.close()
console.log(JSON.stringify(rows))
