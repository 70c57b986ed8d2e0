import type { DuckDBType } from '@duckdb/node-api'
import { describeValue, ParameterError } from '@keelson/core'

/** Where a value is meant to go, for errors. */
export class Place {
  readonly #name: string
  readonly #outer: Place | undefined
  /** Position of the parameter, from 0, where it is one. */
  readonly index: number | undefined

  constructor(name: string, index?: number, outer?: Place) {
    this.#name = name
    this.#outer = outer
    this.index = index
  }

  /** A place within this one: `item 3`, `field "a"`. */
  inside(name: string): Place {
    return new Place(name, this.index, this)
  }

  toString(): string {
    return this.#outer === undefined ? this.#name : `${this.#outer.toString()}, ${this.#name}`
  }

  /**
   * @param why continues "Parameter 1 is 1.7, "
   * @param instead what to do, one sentence or more
   */
  refuse(value: unknown, why: string, instead: string, cause?: unknown): never {
    const name = this.toString()
    const details = this.index === undefined ? {} : { index: this.index }
    throw new ParameterError(
      'PARAMETER_TYPE',
      `${name.charAt(0).toUpperCase()}${name.slice(1)} is ${describeValue(value)}, ${why}. ${instead}`,
      cause === undefined ? details : { ...details, cause },
    )
  }
}

/** The name of a type in an error; those of an ENUM and a STRUCT may be long. */
export function typeName(type: DuckDBType): string {
  const name = type.alias ?? type.toString()
  return name.length > 60 ? `${name.slice(0, 57)}...` : name
}
