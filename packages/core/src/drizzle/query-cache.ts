import { createHash } from 'node:crypto'
import { KeelsonError } from '../errors/keelson-error.ts'
import type { Cache } from 'drizzle-orm/cache/core'
import type { WithCacheConfig } from 'drizzle-orm/cache/core/types'

/**
 * A write was carried out, and committed where it stood in a transaction, but the cache could not be told of it: it may
 * go on answering with rows from before. `cause` is the cache's error. Do not repeat the write.
 */
export class CacheInvalidationError extends KeelsonError {
  declare readonly code: 'CACHE_INVALIDATION'

  constructor(tables: readonly string[], cause: unknown) {
    super(
      'CACHE_INVALIDATION',
      `The write to ${tables.join(', ')} is done, but the cache failed to drop what it held of it, and may answer ` +
        'with old rows. Do not repeat the write; invalidate these tables with db.$cache.invalidate({ tables }).',
      { cause },
    )
  }
}

/** What a query tells of the tables it uses. */
export interface QueryMetadata {
  readonly type: 'select' | 'insert' | 'update' | 'delete'
  readonly tables: string[]
}

/**
 * Drizzle's cache contract, in the order that keeps it true: a write is carried out first and invalidates afterwards,
 * so that no reader can put back the old rows in between, and one that failed invalidates nothing.
 * https://orm.drizzle.team/docs/cache
 *
 * Only selects of query builders are cached; raw SQL, relational queries, batches, streams and transactions go to
 * the engine, as in Drizzle's other drivers. What is kept is the array rows before they are decoded.
 */
export class QueryCache {
  readonly #cache: Cache
  /** What `db.$cache` is: the user's cache, with an `invalidate()` as in Drizzle's other drivers. */
  readonly handle: Pick<WithInvalidate, 'invalidate'>

  constructor(cache: Cache) {
    this.#cache = cache
    const { onMutate } = cache as { onMutate: unknown }
    const isThere = 'invalidate' in cache || Reflect.set(cache, 'invalidate', onMutate)
    this.handle = isThere
      ? (cache as WithInvalidate)
      : { invalidate: (params) => cache.onMutate(params) }
  }

  /** How to cache this query; undefined for not at all. */
  configFor(
    metadata: QueryMetadata | undefined,
    config: WithCacheConfig | undefined,
  ): WithCacheConfig | undefined {
    if (metadata?.type !== 'select') return undefined
    if (config === undefined && this.#cache.strategy() === 'all')
      return { enable: true, autoInvalidate: true }
    return config?.enable === true ? config : undefined
  }

  /** @param run reads all rows: `get()` and `all()` of one query share an entry */
  async read(
    sql: string,
    parameters: readonly unknown[],
    tables: string[],
    config: WithCacheConfig,
    run: () => Promise<unknown[][]>,
  ): Promise<unknown[][]> {
    const key = config.tag ?? keyOf(sql, parameters)
    const isTag = config.tag !== undefined
    const cached = await this.#cache.get(key, tables, isTag, config.autoInvalidate)
    if (cached !== undefined) return cached
    const rows = await run()
    // Tables are handed over only if a write to them is to drop the entry.
    await this.#cache.put(
      key,
      rows,
      config.autoInvalidate === true ? tables : [],
      isTag,
      config.config,
    )
    return rows
  }

  /** @throws {CacheInvalidationError} */
  async written(tables: string[]): Promise<void> {
    try {
      await this.#cache.onMutate({ tables })
    } catch (error) {
      throw new CacheInvalidationError(tables, error)
    }
  }
}

type WithInvalidate = Cache & { invalidate: Cache['onMutate'] }

/** The key of Drizzle's `hashQuery`, which cannot take a bigint. */
function keyOf(sql: string, parameters: readonly unknown[]): string {
  const text = JSON.stringify(parameters, (_, value) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
  return createHash('sha256').update(`${sql}-${text}`).digest('hex')
}
