import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { workspacePackages } from './packages.ts'

const PROGRAM = `
  const before = new Set(Reflect.ownKeys(globalThis))
  await import(process.argv[1])
  // What loading a native module has left is gone by then; what stays open is still there.
  await new Promise((resolve) => setTimeout(resolve, 50))
  const open = process.getActiveResourcesInfo()
  const globals = Reflect.ownKeys(globalThis).filter((key) => !before.has(key)).map(String)
  console.log(JSON.stringify({ open, globals }))
`

describe.for(workspacePackages())('$manifest.name', ({ root, manifest }) => {
  test.for(Object.entries(manifest.exports))(
    'does nothing when %s is imported',
    async ([, source]) => {
      const program = [
        '--disable-warning=ExperimentalWarning',
        '--input-type=module',
        '--eval',
        PROGRAM,
      ]
      const run = promisify(execFile)(process.execPath, [...program, new URL(source, root).href], {
        // Ends a program that would live for ever; a slow machine never comes near it.
        timeout: 20_000,
      })
      await expect(run).resolves.toEqual({ stdout: '{"open":[],"globals":[]}\n', stderr: '' })
    },
  )
})
