// Runs every bench, or those whose names are given, each in a process of its own: `pnpm bench sqlite`.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { writeReadme } from './readme.ts'

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const benches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => wanted.length === 0 || wanted.some((name) => file.startsWith(name)))
if (benches.length === 0) throw new Error(`No bench is named ${wanted.join(', ')}.`)

for (const file of benches) {
  const { status } = spawnSync(
    process.execPath,
    ['--expose-gc', `${import.meta.dirname}/${file}`, ...options],
    { stdio: 'inherit' },
  )
  if (status !== 0) process.exitCode = 1
}

if (!options.includes('--quick') && process.exitCode === undefined) writeReadme()
