import { run } from './run.ts'

interface PackedManifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string>>
}

/**
 * Reads a tarball as npm would unpack it: its exports are built files with declarations, no
 * `workspace:` range is left, and the licence and the README are there.
 *
 * @throws {Error} that lists everything found wrong
 */
export async function checkTarball(tarball: string): Promise<PackedManifest> {
  const files = new Set((await run('tar', ['-tzf', tarball], '/')).split('\n'))
  const text = await run('tar', ['-xzOf', tarball, 'package/package.json'], '/')
  const manifest = JSON.parse(text) as PackedManifest
  const wrong: string[] = []

  if (text.includes('"workspace:'))
    wrong.push('a `workspace:` range is left, which only pnpm understands')
  for (const file of ['LICENSE', 'README.md']) {
    if (!files.has(`package/${file}`)) wrong.push(`${file} is missing`)
  }
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (!/^\.\/dist\/.+\.js$/.test(target))
      wrong.push(`"${subpath}" leads to ${target}, which is not built`)
    for (const file of [target, target.replace(/\.js$/, '.d.ts')]) {
      if (!files.has(file.replace(/^\./, 'package')))
        wrong.push(`"${subpath}" needs ${file}, which is missing`)
    }
  }
  if (wrong.length > 0) throw new Error(`${manifest.name}:\n  ${wrong.join('\n  ')}`)
  return manifest
}
