/** How long one migrator waits for another, in milliseconds: they may take long, and there are few of them. */
export const migrationTimeoutMs = 60_000
