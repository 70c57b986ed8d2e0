import {
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
} from 'kysely'
import type { AmbientTransactions } from '../capabilities/ambient-transactions.ts'
import {
  type ConnectionRoute,
  type ConnectionWatch,
  routeExecutors,
  setConnectionWatch,
} from './executor-routes.ts'

/** What a package adds to a dialect. Layers stand in a fixed order, whichever was added first. */
export interface DialectLayer {
  readonly name: string
  /** The driver's own layer is 0; the highest sees a call first. Transactions: 10. Timing: 20. */
  readonly rank: number
  /** Whether it leaves it to Kysely to let one caller at a time have an only connection. @default false */
  readonly keepsMutex?: boolean
  /**
   * Adds the layer to one `Kysely` instance.
   *
   * @param inner the driver with the layers below; it must get its own connections back, and as they are
   */
  install(instance: DialectInstance, inner: Driver): Driver
}

/** One `Kysely` made with a layered dialect. */
export class DialectInstance {
  readonly dialect: LayeredDialect
  readonly baseDriver: Driver
  readonly compiler: QueryCompiler
  /** What the layers keep, by their names. */
  readonly slots: Map<string, unknown> = new Map()
  /** Set as soon as Kysely has asked for it, which is before the first query. */
  adapter: DialectAdapter | undefined
  /** Whether the driver has only one connection, for which callers have to wait for each other. */
  readonly hasOneConnection: boolean
  /** There where transactions are ambient. */
  ambient: AmbientTransactions | undefined
  /** Where the executors' connections come from, if not from the driver. */
  route: ConnectionRoute | undefined
  /** Who sees each time that a connection is asked for. */
  watch: ConnectionWatch | undefined

  constructor(dialect: LayeredDialect) {
    this.dialect = dialect
    this.baseDriver = dialect.base.createDriver()
    this.compiler = dialect.base.createQueryCompiler()
    this.hasOneConnection = dialect.base.createAdapter().supportsMultipleConnections === false
  }
}

/** Where an adapter keeps the instance it belongs to. */
const instanceKey: unique symbol = Symbol.for('keelson.kysely.instance')
const layersKey: unique symbol = Symbol.for('keelson.layers')

/** The instance of a database, found from its executor's adapter; undefined without layers. */
export function instanceOf(adapter: object): DialectInstance | undefined {
  return (adapter as { readonly [instanceKey]?: DialectInstance })[instanceKey]
}

/** A dialect with layers around its driver; everything else is that of the dialect. */
export class LayeredDialect implements Dialect {
  readonly base: Dialect
  readonly #layers: readonly DialectLayer[]
  #created: DialectInstance | undefined

  static {
    Object.defineProperty(this.prototype, layersKey, { value: true })
  }

  constructor(base: Dialect, layers: readonly DialectLayer[]) {
    this.base = base
    this.#layers = layers.toSorted((one, other) => one.rank - other.rank)
  }

  /** The same dialect with one layer more; a layer of that name takes the place of the one there was. */
  withLayer(layer: DialectLayer): LayeredDialect {
    const others = this.#layers.filter(({ name }) => name !== layer.name)
    return new LayeredDialect(this.base, [...others, layer])
  }

  /** The layer of that name. */
  layer(name: string): DialectLayer | undefined {
    return this.#layers.find((layer) => layer.name === name)
  }

  createDriver(): Driver {
    routeExecutors(routeOf)
    const instance = new DialectInstance(this)
    // Kysely's constructor asks for the driver and then, in the same breath, for the adapter.
    this.#created = instance
    let driver = instance.baseDriver
    for (const layer of this.#layers) driver = layer.install(instance, driver)
    return driver
  }

  createQueryCompiler(): QueryCompiler {
    return this.base.createQueryCompiler()
  }

  createAdapter(): DialectAdapter {
    const instance = this.#created
    this.#created = undefined
    const made = this.base.createAdapter()
    // A dialect may hand out one adapter for all its instances.
    const adapter = instanceOf(made) === undefined ? made : (Object.create(made) as DialectAdapter)
    // The layers let one caller at a time have the connection; Kysely's mutex would keep a nested one waiting for ever.
    if (this.#layers.some(({ keepsMutex }) => keepsMutex !== true))
      Object.defineProperty(adapter, 'supportsMultipleConnections', { value: true })
    if (instance !== undefined) {
      instance.adapter = adapter
      Object.defineProperty(adapter, instanceKey, { value: instance })
      if (instance.watch !== undefined) setConnectionWatch(adapter, instance.watch)
    }
    return adapter
  }

  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return this.base.createIntrospector(db)
  }
}

function routeOf(adapter: object): ConnectionRoute | undefined {
  return instanceOf(adapter)?.route
}

/** Has a watch see the connections of an existing database, by the adapter of its executor. */
export function watchConnections(adapter: object, watch: ConnectionWatch): void {
  routeExecutors(routeOf)
  setConnectionWatch(adapter, watch)
}

/** The layer of that name, of a dialect that has any. */
export function layerOf(dialect: Dialect, name: string): DialectLayer | undefined {
  return layersKey in dialect ? (dialect as Dialect as LayeredDialect).layer(name) : undefined
}

/** Adds a layer to a dialect, or to the layers that it has. */
export function addLayer(dialect: Dialect, layer: DialectLayer): LayeredDialect {
  return layersKey in dialect
    ? (dialect as Dialect as LayeredDialect).withLayer(layer)
    : new LayeredDialect(dialect, [layer])
}
