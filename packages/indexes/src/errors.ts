import { type EngineName, KeelsonError } from '@keelson/core'
import type { PlanStep } from './plan/schema-plan.ts'

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

/** What the definitions ask for cannot be reached from what the database has. Nothing was changed. */
export class UnsupportedChangeError extends KeelsonError {
  declare readonly code: 'UNSUPPORTED_CHANGE'
  readonly table: string
  /** The column, index or constraint, where it is about one. */
  readonly object: string | undefined

  constructor(table: string, object: string | undefined, message: string) {
    super('UNSUPPORTED_CHANGE', message)
    this.table = table
    this.object = object
  }
}

/** The schema is neither what it was when the plan was made, nor what a part of the plan has made of it. Nothing was changed. */
export class SchemaDriftError extends KeelsonError {
  declare readonly code: 'SCHEMA_DRIFT'
  /** The fingerprint that the plan was made for. */
  readonly expected: string
  /** The fingerprint that the database has. */
  readonly actual: string

  constructor(expected: string, actual: string) {
    super(
      'SCHEMA_DRIFT',
      `applyPlan() was given a plan for the schema ${expected}, and the database has ${actual}: somebody has changed these ` +
        'tables since. Make a new plan with diffSchema(), look at it, and apply that. Nothing was changed.',
    )
    this.expected = expected
    this.actual = actual
  }
}

/** Steps lose data, and nobody has said that they may. Nothing was changed. */
export class DestructiveStepError extends KeelsonError {
  declare readonly code: 'DESTRUCTIVE_STEP'
  readonly steps: readonly PlanStep[]

  constructor(where: string, steps: readonly PlanStep[], instead: string) {
    super(
      'DESTRUCTIVE_STEP',
      `${where} would have to lose data: ${listedSteps(steps)}. ${instead} Nothing was changed.`,
    )
    this.steps = steps
  }
}

/** `ensureTables()` only adds, and more than that is needed. Nothing was changed. */
export class NotAdditiveError extends KeelsonError {
  declare readonly code: 'NOT_ADDITIVE'
  readonly steps: readonly PlanStep[]

  constructor(steps: readonly PlanStep[]) {
    super(
      'NOT_ADDITIVE',
      `ensureTables() only creates what is missing, and these tables are there otherwise than they are defined: ` +
        `${listedSteps(steps)}. Make a plan with diffSchema(), look at it, and apply it. Nothing was changed.`,
    )
    this.steps = steps
  }
}

/** Rows are in the way of a step: duplicates of a unique index, NULLs of a column that is to have none. */
export class RowsInTheWayError extends KeelsonError {
  declare readonly code: 'ROWS_IN_THE_WAY'
  readonly step: PlanStep
  /** Of duplicates the values of a key and how many rows have it; else a row. As the driver gives it. */
  readonly example: Readonly<Record<string, unknown>>

  constructor(step: PlanStep, example: Readonly<Record<string, unknown>>, message: string) {
    super('ROWS_IN_THE_WAY', message)
    this.step = step
    this.example = example
  }
}

/** Somebody else held the lock on the schema for as long as this one was to wait. Nothing was changed. */
export class SchemaLockError extends KeelsonError {
  declare readonly code: 'SCHEMA_LOCK_TIMEOUT'

  constructor(message: string, options?: ErrorOptions) {
    super('SCHEMA_LOCK_TIMEOUT', message, options)
  }
}

/** It was called inside a transaction that somebody else has begun. Nothing was sent. */
export class OpenTransactionError extends KeelsonError {
  declare readonly code: 'OPEN_TRANSACTION'

  constructor(message: string) {
    super('OPEN_TRANSACTION', message)
  }
}

/** A table was rebuilt, and the copy is not what it was: rows are missing, or refer to none. All of it was undone. */
export class RebuildError extends KeelsonError {
  declare readonly code: 'REBUILD'
  readonly table: string

  constructor(table: string, message: string) {
    super('REBUILD', message)
    this.table = table
  }
}

/** There is no backup as it was asked for. Nothing was changed. */
export class BackupError extends KeelsonError {
  declare readonly code: 'BACKUP'

  constructor(message: string, options?: ErrorOptions) {
    super('BACKUP', message, options)
  }
}

/** A table cannot be made of what was given. Nothing was sent to a database. */
export class SchemaError extends KeelsonError {
  declare readonly code:
    | 'NOT_A_SCHEMA'
    | 'UNSUPPORTED_TYPE'
    | 'UNKNOWN_META'
    | 'INVALID_META'
    | 'INVALID_DEFAULT'
    | 'INVALID_ROW'
    | 'NO_COLUMN'
    | 'DUPLICATE_COLUMN'
    | 'DUPLICATE_TABLE'
    | 'INVALID_KEY'
    | 'VALUE'
  readonly table: string
  /** The field or column that is to blame, as the source calls it. */
  readonly field: string | undefined

  constructor(
    code: SchemaError['code'],
    table: string,
    field: string | undefined,
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
    this.table = table
    this.field = field
  }
}

function listedSteps(steps: readonly PlanStep[]): string {
  return steps
    .map(({ kind, table, object }) =>
      object === undefined ? `${kind} ${table}` : `${kind} ${table}.${object}`,
    )
    .join(', ')
}
