import { readdirSync, readFileSync } from 'node:fs'

/** The parts of a package.json that the repository tests read. */
export interface Manifest {
  readonly name: string
  readonly description: string
  readonly keywords: readonly string[]
  readonly license: string
  readonly repository: { readonly directory: string }
  readonly files: readonly string[]
  readonly type: string
  readonly sideEffects: boolean
  readonly exports: Readonly<Record<string, string>>
  readonly publishConfig: {
    readonly access: string
    readonly exports: Readonly<Record<string, string>>
  }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional: boolean }>>
  readonly engines: { readonly node: string }
}

/** A folder under `packages/` with its manifest. */
export interface WorkspacePackage {
  readonly folder: string
  readonly root: URL
  readonly manifest: Manifest
}

/** The repository's root. */
export const repository: URL = new URL('../../', import.meta.url)

/** Every package of the workspace, read from the disk: a new folder is tested without being listed. */
export function workspacePackages(): WorkspacePackage[] {
  const parent = new URL('packages/', repository)
  return readdirSync(parent).map((folder) => {
    const root = new URL(`${folder}/`, parent)
    return { folder, root, manifest: JSON.parse(readText('package.json', root)) as Manifest }
  })
}

/** The text of a file, by its path from `base`. */
export function readText(path: string, base: URL = repository): string {
  return readFileSync(new URL(path, base), 'utf8')
}
