/**
 * Checks what users would install, before it is published: builds and packs every package, looks
 * into the tarballs, installs them into an empty project with npm, and runs a program there.
 *
 * Publishes nothing and changes nothing in the repository but `dist`. Needs the npm registry.
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkTarball } from './release-check/check-tarball.ts'
import { run } from './release-check/run.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'keelson-release-'))
const tarballs = join(scratch, 'tarballs')
const project = join(scratch, 'project')
const tool = (name: string) => join(root, 'node_modules/.bin', name)

const steps: readonly { title: string; wayOut: string; work: () => Promise<unknown> }[] = [
  {
    title: 'builds every package from nothing',
    wayOut: 'Mend the types; `pnpm build` shows the same.',
    work: build,
  },
  {
    title: 'packs every package with pnpm',
    wayOut: 'pnpm says above which package it cannot pack.',
    work: () =>
      run(
        'npx',
        ['-y', 'pnpm@12', '--filter', './packages/*', 'pack', '--pack-destination', tarballs],
        root,
      ),
  },
  {
    title: 'manifests point to built files that are in the tarball',
    wayOut: 'Compare `exports`, `publishConfig.exports` and `files` in that package.json.',
    work: () => eachTarball((tarball) => checkTarball(tarball)),
  },
  {
    title: 'publint has nothing to say',
    wayOut: 'Each rule is explained at https://publint.dev/rules',
    work: () => eachTarball((tarball) => run(tool('publint'), ['run', tarball, '--strict'], root)),
  },
  {
    title: 'types resolve wherever ES modules do (attw)',
    wayOut: 'Each problem is explained at the link beside it.',
    work: () =>
      eachTarball((tarball) => run(tool('attw'), [tarball, '--profile', 'esm-only'], root)),
  },
  {
    title: 'npm installs the tarballs into an empty project',
    wayOut: 'A manifest asks for a version that neither the tarballs nor the registry have.',
    work: install,
  },
  {
    title: 'a program type-checks against them without skipLibCheck',
    wayOut:
      'It is scripts/release-check/program.ts. Errors in node_modules/@keelson are in our declarations.',
    work: typeCheck,
  },
  {
    title: 'the program runs',
    wayOut: 'It is scripts/release-check/program.ts; start it again in the folder below.',
    work: () => run(process.execPath, ['program.ts'], project),
  },
  {
    title: 'the command runs',
    wayOut:
      'Start `npx keelson --help` in the folder below; `bin` in its package.json leads to what is run.',
    work: () => run(join(project, 'node_modules/.bin/keelson'), ['--help'], project),
  },
]

for (const { title, wayOut, work } of steps) {
  const start = performance.now()
  try {
    await work()
    console.log(`ok      ${title} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  } catch (error) {
    console.log(
      `FAILED  ${title}\n\n${error instanceof Error ? error.message : String(error)}\n\n${wayOut}`,
    )
    console.log(`release:check failed; its files are left in ${scratch}`)
    process.exit(1)
  }
}
rmSync(scratch, { recursive: true, force: true })
console.log('release:check ok')

async function build(): Promise<void> {
  for (const folder of readdirSync(join(root, 'packages'))) {
    // What a deleted source has left behind in `dist` would be packed.
    rmSync(join(root, 'packages', folder, 'dist'), { recursive: true, force: true })
    rmSync(join(root, 'packages', folder, 'tsconfig.tsbuildinfo'), { force: true })
  }
  await run(tool('tsc'), ['-b'], root)
}

async function eachTarball<T>(work: (tarball: string) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (const name of readdirSync(tarballs)) results.push(await work(join(tarballs, name)))
  return results
}

async function install(): Promise<void> {
  const packed = await eachTarball(
    async (tarball) => [(await checkTarball(tarball)).name, `file:${tarball}`] as const,
  )
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const others = [
    '@duckdb/node-api',
    '@types/node',
    'better-sqlite3',
    'drizzle-orm',
    'kysely',
    'typescript',
  ]
  const dependencies = Object.fromEntries([
    ...packed,
    ...others.map((name) => [name, devDependencies[name]]),
  ])
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  }

  mkdirSync(project)
  copyFileSync(join(root, 'scripts/release-check/program.ts'), join(project, 'program.ts'))
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies }),
  )
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  await run('npm', ['install', '--no-audit', '--no-fund'], project)

  const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'))
  const installed = Object.keys(packages).filter((path) =>
    /node_modules\/(@keelson\/|keelson$)/.test(path),
  )
  if (installed.length !== packed.length) {
    throw new Error(
      `A package is installed twice, once from the registry:\n${installed.join('\n')}`,
    )
  }
}

async function typeCheck(): Promise<void> {
  const failure = await run('node_modules/.bin/tsc', ['--pretty', 'false'], project).then(
    () => undefined,
    (error: Error) => error,
  )
  if (failure === undefined) return
  const errors = failure.message.split('\n').filter((line) => / error TS\d+:/.test(line))
  // Drizzle's own declarations compile only where every driver that it supports is installed.
  const ours = errors.filter((line) => !line.startsWith('node_modules/drizzle-orm/'))
  if (errors.length === 0) throw failure
  if (ours.length > 0) throw new Error(ours.join('\n'))
}
