import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { GeneratedFile } from '@keelson/indexes'

const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))

/** A directory from which generated code finds the installed packages; gone when it is disposed of. */
export class GeneratedCode {
  readonly path: string
  #count = 0

  constructor() {
    mkdirSync(cache, { recursive: true })
    this.path = mkdtempSync(join(cache, 'generated-'))
  }

  /** @returns the paths of the files */
  write(files: readonly GeneratedFile[], directory: string): readonly string[] {
    return files.map(({ path, text }) => {
      const file = join(this.path, directory, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
      return file
    })
  }

  /** What a file exports. Node strips no types below `node_modules`. */
  async load({ text }: GeneratedFile): Promise<any> {
    const file = join(this.path, `${++this.#count}.mjs`)
    writeFileSync(file, stripTypeScriptTypes(text))
    return import(/* @vite-ignore */ pathToFileURL(file).href)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
