// Runs every bench, or those whose names are given, each in a process of its own: `pnpm bench sqlite`.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { writeReadme } from './readme.ts'

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length))
const unknown = wanted.filter((name) => !known.includes(name))
if (unknown.length > 0)
  throw new Error(`No bench is named ${unknown.join(', ')}. There are ${known.join(', ')}.`)

for (const name of wanted.length === 0 ? known : wanted) {
  const { status } = spawnSync(
    process.execPath,
    ['--expose-gc', `${import.meta.dirname}/${name}.bench.ts`, ...options],
    { stdio: 'inherit' },
  )
  if (status !== 0) process.exitCode = 1
}

if (!options.includes('--quick') && process.exitCode === undefined) writeReadme()
