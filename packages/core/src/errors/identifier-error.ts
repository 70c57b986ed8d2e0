import { KeelsonError } from './keelson-error.ts'

/** A name cannot be used as an identifier. Nothing was sent to the engine. */
export class IdentifierError extends KeelsonError {
  declare readonly code: 'INVALID_IDENTIFIER'
  /** The name as it was given; not always a string. */
  readonly identifier: unknown

  constructor(identifier: unknown, message: string, options?: ErrorOptions) {
    super('INVALID_IDENTIFIER', message, options)
    this.identifier = identifier
  }
}
