import { npmVersion } from 'drizzle-orm/version'
import { KeelsonError } from '../errors/keelson-error.ts'

/** The installed drizzle-orm is not one this driver works with. Nothing was opened. */
export class UnsupportedDrizzleError extends KeelsonError {
  declare readonly code: 'UNSUPPORTED_DRIZZLE'
  /** The version that is installed, for example `1.0.0-rc.5`. */
  readonly installed: string
  /** The versions that work, as a semver range. */
  readonly supported: string

  /** @param driver who cannot work with it: `@keelson/sqlite/drizzle` */
  constructor(driver: string, installed: string, reason: string) {
    super(
      'UNSUPPORTED_DRIZZLE',
      `${driver} cannot work with drizzle-orm ${installed}: ${reason} Install drizzle-orm ${supported}.`,
    )
    this.installed = installed
    this.supported = supported
  }
}

const supported = '>=0.44.0 <0.46'

/** @throws {UnsupportedDrizzleError} when the version is outside the range, named with the range */
export function checkVersion(driver: string, installed: string = npmVersion): void {
  const [, major, minor] = /^(\d+)\.(\d+)\.\d+$/.exec(installed) ?? []
  if (major === '0' && (minor === '44' || minor === '45')) return
  throw new UnsupportedDrizzleError(
    driver,
    installed,
    'its internals differ from those this driver is built on.',
  )
}

/**
 * Refuses a version that lacks something of which Drizzle's types say nothing.
 *
 * @param found by name, whether it is there
 * @throws {UnsupportedDrizzleError} naming what is missing
 */
export function checkFound(driver: string, found: Readonly<Record<string, boolean>>): void {
  for (const [name, isThere] of Object.entries(found)) {
    if (!isThere) throw new UnsupportedDrizzleError(driver, npmVersion, `it lacks ${name}.`)
  }
}
