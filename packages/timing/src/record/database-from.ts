import { checkOptionNames, invalidOption, type QueryEvent } from '@keelson/core'
import { DatabaseInstance } from './database-instance.ts'
import { poolReader } from './pool-reader.ts'
import type { Recorder } from './recorder.ts'
import { WatchedDatabase, type WatchedDatabaseOptions } from './watched-database.ts'

/**
 * Makes a measured database from what the user has said of it.
 *
 * @param where the call, as the user wrote it
 * @returns makes one for each instance of the ORM, once its engine is known
 * @throws {OptionError} for an option that is unknown or impossible
 */
export function databaseFrom(
  recorder: Recorder,
  where: string,
  source: QueryEvent['source'],
  options: WatchedDatabaseOptions,
): (system: string, hasOneConnection: boolean, knownPool?: unknown) => DatabaseInstance {
  if (typeof options !== 'object' || options === null)
    invalidOption(where, 'options', options, 'an object with name and pool')
  checkOptionNames(where, options, ['name', 'pool'])
  const { name, pool } = options
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    invalidOption(where, 'name', name, 'a text that is not empty')
  const given = poolReader(pool)
  if (pool !== undefined && given === undefined)
    invalidOption(where, 'pool', pool, 'a pool of pg, mysql2, tarn or @keelson/core')
  return (system, hasOneConnection, knownPool) => {
    const gauges = given ?? poolReader(knownPool)
    const known =
      name === undefined
        ? undefined
        : Array.from(recorder.databases).find(
            (each) => each.name === name && each.source === source && each.system === system,
          )
    if (known !== undefined) {
      known.users++
      return new DatabaseInstance(known, gauges)
    }
    const database = new WatchedDatabase(
      freeName(recorder, name ?? system),
      source,
      system,
      hasOneConnection,
      recorder.settings.maxFingerprints,
    )
    return new DatabaseInstance(database, gauges)
  }
}

/** Reports and metrics tell databases apart by their names. */
function freeName(recorder: Recorder, wanted: string): string {
  const taken = new Set(Array.from(recorder.databases, ({ name }) => name))
  let name = wanted
  for (let number = 2; taken.has(name); number++) name = `${wanted} ${number}`
  return name
}
