/**
 * The only place where Keelson changes a class of Drizzle's: the one whose sessions prepare the queries of a driver.
 *
 * A driver makes new sessions as it goes, one for each transaction of a pool, so that the instance which `db` has is not
 * enough. The prototype is patched once, on first use, and tells databases apart by `session.dialect`, of which every
 * `drizzle()` call makes one and which its transactions share. A database that nobody has wrapped passes through.
 */

/** A session as Drizzle makes it, as far as layers need it. */
export interface PatchableSession {
  readonly dialect: object
}

type Method = 'prepareQuery' | 'transaction' | 'batch'
type Call = (this: PatchableSession, ...args: any[]) => any

/** Calls what lies below: the next layer, or the driver's own method. */
export type NextLayer = (session: PatchableSession, args: readonly any[]) => any

/** What one feature does with the calls to the sessions of one database. A method that is left out passes through. */
export interface SessionLayer {
  /** Of one feature: a second layer of that name is refused. */
  readonly name: string
  /** The outermost has the highest. `transactions` has 10, `timing` 20. */
  readonly rank: number
  prepareQuery?(session: PatchableSession, args: readonly any[], next: NextLayer): unknown
  transaction?(session: PatchableSession, args: readonly any[], next: NextLayer): unknown
  batch?(session: PatchableSession, args: readonly any[], next: NextLayer): unknown
}

/** The layers of one database, and the calls made of them. */
interface Chain {
  readonly layers: SessionLayer[]
  readonly calls: Partial<Record<Method, NextLayer>>
}

/** On the prototype, in this shape for every copy of the package that may be installed. */
interface Patch {
  readonly version: 1
  readonly originals: Partial<Record<Method, Call>>
  readonly chains: WeakMap<object, Chain>
}

const brand: unique symbol = Symbol.for('keelson.drizzle.sessionPatch')
const methods: readonly Method[] = ['prepareQuery', 'transaction', 'batch']

/**
 * Puts a layer around the sessions of a database: of the one that `session` belongs to, and of no other. In which order
 * layers are added does not matter; their ranks do.
 *
 * @returns whether it was added; `false` where there is one of its name
 */
export function addSessionLayer(session: PatchableSession, layer: SessionLayer): boolean {
  const { chains, originals } = patchOf(session)
  const { dialect } = session
  let chain = chains.get(dialect)
  if (chain === undefined) chains.set(dialect, (chain = { layers: [], calls: {} }))
  if (chain.layers.some(({ name }) => name === layer.name)) return false
  chain.layers.push(layer)
  chain.layers.sort((one, other) => one.rank - other.rank)
  for (const method of methods) {
    const original = originals[method]
    if (original !== undefined) chain.calls[method] = callOf(method, chain.layers, original)
  }
  return true
}

/** The layer of a database by its name. */
export function sessionLayer(session: PatchableSession, name: string): SessionLayer | undefined {
  const patch = (session as { readonly [brand]?: Patch })[brand]
  return patch?.chains.get(session.dialect)?.layers.find((layer) => layer.name === name)
}

/** Calls the driver's own method, below all layers. */
export function callOriginal(
  session: PatchableSession,
  method: Method,
  args: readonly unknown[],
): unknown {
  const own = (session as { readonly [brand]?: Patch })[brand]?.originals[method]
  return (own ?? (session as unknown as Record<Method, Call>)[method]).apply(session, [...args])
}

function callOf(method: Method, layers: readonly SessionLayer[], original: Call): NextLayer {
  let call: NextLayer = (session, args) => original.apply(session, args as any[])
  for (const layer of layers) {
    if (layer[method] === undefined) continue
    const next = call
    call = (session, args) => layer[method]!(session, args, next)
  }
  return call
}

function patchOf(session: PatchableSession): Patch {
  const prototype = prototypeOf(session)
  const known = Object.getOwnPropertyDescriptor(prototype, brand)?.value as Patch | undefined
  if (known !== undefined) return known
  const patch: Patch = { version: 1, originals: {}, chains: new WeakMap() }
  for (const method of methods) {
    const original = Object.getOwnPropertyDescriptor(prototype, method)?.value as Call | undefined
    if (typeof original !== 'function') continue
    patch.originals[method] = original
    Object.defineProperty(prototype, method, {
      configurable: true,
      writable: true,
      enumerable: false,
      value: function (this: PatchableSession, ...args: unknown[]): unknown {
        const call = patch.chains.get(this.dialect)?.calls[method]
        return call === undefined ? original.apply(this, args) : call(this, args)
      },
    })
  }
  Object.defineProperty(prototype, brand, { value: patch })
  return patch
}

/** The one in the chain that prepares queries in the driver's own way. */
function prototypeOf(session: PatchableSession): object {
  let prototype: object | null = Object.getPrototypeOf(session)
  while (prototype !== null && !Object.hasOwn(prototype, 'prepareQuery'))
    prototype = Object.getPrototypeOf(prototype)
  if (prototype === null)
    throw new TypeError('This is no session of Drizzle: it has no prepareQuery().')
  return prototype
}
