import { nextEventId } from '../events/event-id.ts'
import { guardListener } from '../events/guarded-listener.ts'
import type { PoolEvent } from '../events/pool-event.ts'
import type { PoolSettings } from './pool-options.ts'

/** How full a pool is, as its events tell it. */
export type PoolCounts = Pick<PoolEvent, 'max' | 'size' | 'idle' | 'pending'>

/** Makes the events of one pool, and tells them to `onEvent`. */
export class PoolEvents {
  readonly #pool: string
  readonly #counts: () => PoolCounts
  readonly #listener: ((event: PoolEvent) => void) | undefined

  constructor(settings: Pick<PoolSettings<unknown>, 'name' | 'onEvent'>, counts: () => PoolCounts) {
    const { name, onEvent } = settings
    this.#pool = name
    this.#counts = counts
    this.#listener = onEvent && guardListener(`onEvent of pool "${name}"`, onEvent)
  }

  /** Makes an event only if somebody listens. */
  emit(type: PoolEvent['type'], startMs: number, fields: Partial<PoolEvent>): void {
    this.#listener?.(this.make(type, startMs, fields))
  }

  make(type: PoolEvent['type'], startMs: number, fields: Partial<PoolEvent>): PoolEvent {
    return {
      v: 1,
      id: nextEventId(),
      pool: this.#pool,
      type,
      startMs,
      ...this.#counts(),
      ...fields,
    }
  }

  /** Fills in what an acquire came to, for the event that announced its start. */
  complete(event: PoolEvent): void {
    event.waitMs ??= performance.now() - event.startMs
    Object.assign(event, this.#counts())
  }
}
