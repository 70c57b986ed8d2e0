import {
  type FullScan,
  type IndexAdvice,
  newFullScans,
  type ScanBaseline,
  scanBaseline,
} from '@keelson/indexes'
import { readFile, writeFile } from 'node:fs/promises'
import { WorkloadError } from '../errors.ts'

/**
 * The full scans that a baseline does not have. With `isUpdate` it becomes what there is now, so that there are none.
 *
 * @throws {WorkloadError}
 */
export async function compareWithBaseline(
  advice: IndexAdvice,
  path: string,
  isUpdate: boolean,
): Promise<readonly FullScan[]> {
  if (isUpdate) {
    await writeFile(path, `${JSON.stringify(scanBaseline(advice), undefined, 2)}\n`)
    return []
  }
  return newFullScans(advice, await read(path))
}

async function read(path: string): Promise<ScanBaseline> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new WorkloadError(
      'NO_BASELINE',
      `Cannot read ${path}: ${(error as Error).message}. Say --update-baseline once, and keep the file in the repository.`,
      { cause: error },
    )
  }
  try {
    const baseline = JSON.parse(text) as ScanBaseline
    if (baseline.v === 1 && Array.isArray(baseline.scans)) return baseline
  } catch {
    // Said below.
  }
  throw new WorkloadError(
    'INVALID_BASELINE',
    `${path} is no baseline. Say --update-baseline to write it again.`,
  )
}
