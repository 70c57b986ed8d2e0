import { globSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readText, repository } from './packages.ts'

// What pnpm itself does; every other word after `pnpm` is a script of ours.
const PNPM_COMMANDS = /^(install|i|add|remove|update|exec|dlx|store|change|version|pack|publish)$/

const documents = globSync(['*.md', 'docs/*.md', 'packages/*/*.md'], { cwd: repository })

test.for(documents)('%s names only scripts that exist', (document) => {
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> }
  const commands = readText(document).matchAll(/\bpnpm(?:@\d+)? (?:run )?([a-z][a-z:-]*)/g)
  const named = [...commands].map(([, name]) => name!).filter((name) => !PNPM_COMMANDS.test(name))
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named))
})

test('README.md begins with the two commands that do everything', () => {
  const readme = readText('README.md')
  expect(readme).toContain('npx -y pnpm@12 example')
  expect(readme).toContain('npx -y pnpm@12 test')
})
