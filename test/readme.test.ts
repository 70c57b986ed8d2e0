// Every TypeScript block of the READMEs and of docs/ is a program: it is compiled, run in a directory of its own, and what it prints
// is what its `// =>` comments say.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
// Inside the repository, so that the snippets find the packages by name.
const workshop = mkdtempSync(join(root, 'test', '.readme-'))
afterAll(() => rmSync(workshop, { recursive: true, force: true }))

interface Snippet {
  readonly file: string
  readonly code: string
  readonly prints: readonly string[]
}

function snippetsOf(readme: string): Snippet[] {
  const text = readFileSync(join(root, readme), 'utf8')
  return [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, code], index) => ({
    file: join(workshop, `${readme.replaceAll(/\W/g, '-')}-${index + 1}.ts`),
    code: code!,
    prints: [...code!.matchAll(/\/\/ => (.*)$/gm)].flatMap(([, value]) => value!.split(' // => ')),
  }))
}

const readmes = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/README.md`),
]
const snippets = new Map(readmes.map((readme) => [readme, snippetsOf(readme)]))
for (const { file, code } of [...snippets.values()].flat()) writeFileSync(file, code)

// A page without a program, such as docs/corruption.md, has nothing to run.
const withPrograms = readmes.filter((readme) => snippets.get(readme)!.length > 0)

describe.each(withPrograms)('%s', (readme) => {
  test.each(snippets.get(readme)!.map((snippet, index) => [index + 1, snippet] as const))(
    'program %i prints what it says',
    (_, { file, prints }) => {
      const directory = `${file}.run`
      mkdirSync(directory)
      const output = execFileSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' })
      expect(output.trimEnd()).toBe(prints.join('\n'))
    },
  )
})

test('every program compiles under the strict settings of the repository', () => {
  const config = join(workshop, 'tsconfig.json')
  writeFileSync(
    config,
    JSON.stringify({
      extends: relative(workshop, join(root, 'tsconfig.tests.json')),
      compilerOptions: { rootDir: relative(workshop, root) },
      include: ['*.ts'],
      references: [],
    }),
  )
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], {
    encoding: 'utf8',
  })
})
