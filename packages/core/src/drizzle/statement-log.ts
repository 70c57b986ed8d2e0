import { DefaultLogger, type Logger } from 'drizzle-orm'

/** Tells the user's logger of each statement, and shields the statement from it. */
export class StatementLog {
  readonly #logger: Logger
  #warned = false

  private constructor(logger: Logger) {
    this.#logger = logger
  }

  /** @param logger as in Drizzle's config: `true` prints to the console */
  static from(logger: boolean | Logger | undefined): StatementLog | undefined {
    if (logger === true) return new StatementLog(new DefaultLogger())
    return logger === false || logger === undefined ? undefined : new StatementLog(logger)
  }

  statement(sql: string, parameters: unknown[]): void {
    try {
      this.#logger.logQuery(sql, parameters)
    } catch (error) {
      if (this.#warned) return
      this.#warned = true
      process.emitWarning(
        `The logger of drizzle() throws; statements run on without it. ${String(error)}`,
        {
          code: 'KEELSON_LOGGER_FAILED',
        },
      )
    }
  }
}
