import { describe, expect, test } from 'vitest'
import { readText, workspacePackages } from './packages.ts'

describe.for(workspacePackages())('packages/$folder', ({ folder, root, manifest }) => {
  test('says who it is, for people who search the registry', () => {
    expect(manifest.description).toMatch(/^[A-Z].+\.$/)
    expect(manifest.license).toBe('MIT')
    expect(manifest.repository.directory).toBe(`packages/${folder}`)
  })

  test('has a README and the licence', () => {
    expect(readText('README.md', root)).toMatch(new RegExp(`^# ${manifest.name}\n`))
    expect(readText('LICENSE', root)).toBe(readText('LICENSE'))
  })

  test('is published as built ES modules with their sources, free of side effects', () => {
    expect(manifest).toMatchObject({
      type: 'module',
      // What a thread begins with does its work when it is loaded.
      sideEffects:
        './worker' in manifest.exports
          ? ['src', 'dist'].flatMap((folder) => {
              const extension = folder === 'src' ? 'ts' : 'js'
              return [`./${folder}/worker.${extension}`, `./${folder}/worker/main.${extension}`]
            })
          : false,
      files: ['dist', 'src'],
      engines: { node: '>=22.12' },
      publishConfig: { access: 'public' },
    })
  })

  test('publishes the built file of each of its exports', () => {
    const built = Object.entries(manifest.exports).map(([subpath, source]) => {
      expect(source).toMatch(/^\.\/src\/.+\.ts$/)
      return [subpath, source.replace('./src/', './dist/').replace(/\.ts$/, '.js')]
    })
    expect(manifest.publishConfig.exports).toEqual(Object.fromEntries(built))
  })

  test.for([
    { host: 'kysely', subpath: './kysely', keywords: ['kysely'] },
    { host: 'drizzle-orm', subpath: './drizzle', keywords: ['drizzle', 'drizzle-orm'] },
  ])(
    'serves $host as an optional peer that is among its keywords',
    ({ host, subpath, keywords }) => {
      // The command loads what somebody's set-up has.
      const served = subpath in manifest.exports || folder === 'cli'
      expect({
        peer: host in (manifest.peerDependencies ?? {}),
        optional: manifest.peerDependenciesMeta?.[host]?.optional ?? false,
        missingKeywords: served
          ? keywords.filter((keyword) => !manifest.keywords.includes(keyword))
          : [],
      }).toEqual({ peer: served, optional: served, missingKeywords: [] })
    },
  )

  // The command is what ties them together, and nobody imports it.
  test.skipIf(folder === 'cli')('depends on no sibling but core', () => {
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = manifest
    const named = {
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
      ...peerDependencies,
    }
    const siblings = Object.keys(named).filter((name) => /^(@keelson\/|keelson$)/.test(name))
    expect(siblings.filter((name) => name !== '@keelson/core')).toEqual([])
  })
})

test('core brings nothing with it but the pool it is built on', () => {
  const core = workspacePackages().find(({ folder }) => folder === 'core')
  expect(Object.keys(core?.manifest.dependencies ?? {})).toEqual(['tarn'])
})
