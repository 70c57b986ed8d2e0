import { type EngineName, KeelsonError } from '@keelson/core'

/** The engine has no way to keep what a definition asks for. Nothing was sent to it. */
export class UnsupportedByEngineError extends KeelsonError {
  declare readonly code: 'UNSUPPORTED_BY_ENGINE'
  readonly engine: EngineName

  constructor(engine: EngineName, message: string, options?: ErrorOptions) {
    super('UNSUPPORTED_BY_ENGINE', message, options)
    this.engine = engine
  }
}

/** A definition means nothing on any engine, such as an enum without values. Nothing was sent to the engine. */
export class DefinitionError extends KeelsonError {
  declare readonly code: 'INVALID_DEFINITION'

  constructor(message: string, options?: ErrorOptions) {
    super('INVALID_DEFINITION', message, options)
  }
}

/** Two names that were asked for are one to the engine. Nothing was sent to it. */
export class NameCollisionError extends KeelsonError {
  declare readonly code: 'NAME_COLLISION'
  readonly names: readonly string[]

  constructor(names: readonly string[], message: string, options?: ErrorOptions) {
    super('NAME_COLLISION', message, options)
    this.names = names
  }
}
