/** What a database says of its own tables, the same shape for every engine. Keys that an engine lacks are absent. */
export interface Catalogue {
  /** In the order in which they were created, where the engine remembers it. */
  readonly tables: readonly CatalogueTable[]
}

/** A table, a view, or a table that a module of the engine keeps. */
export interface CatalogueTable {
  readonly name: string
  readonly schema?: string
  readonly kind: 'table' | 'view' | 'virtual'
  readonly columns: readonly CatalogueColumn[]
  readonly primaryKey?: CatalogueKey
  readonly foreignKeys: readonly CatalogueForeignKey[]
  /** UNIQUE constraints. A unique index that was created by itself is among the `indexes` only. */
  readonly uniques: readonly CatalogueKey[]
  /** All indexes, those that the engine made for the keys above included: see their `origin`. */
  readonly indexes: readonly CatalogueIndex[]
  readonly checks?: readonly CatalogueCheck[]
  /** SQLite: the types of the columns are enforced. */
  readonly strict?: boolean
  /** SQLite: the primary key is the table's own order. */
  readonly withoutRowid?: boolean
  /** Why the view cannot be used any more, in the engine's words; its columns are not known then. */
  readonly broken?: string
}

/** A column. */
export interface CatalogueColumn {
  readonly name: string
  /** As it was declared; empty when no type was. */
  readonly type: string
  readonly nullable: boolean
  /** The SQL expression of the DEFAULT, not its value. */
  readonly default?: string
  readonly generated?: CatalogueGenerated
  /** Declared `AUTOINCREMENT`, `AUTO_INCREMENT` or as an identity. */
  readonly autoIncrement: boolean
  /** SQLite: the column is another name for the rowid, and numbered by SQLite also without `AUTOINCREMENT`. */
  readonly rowidAlias?: boolean
  /** The collation that was declared for it; absent where none was. */
  readonly collation?: string
}

/** How a generated column gets its value. */
export interface CatalogueGenerated {
  /** SQL; `undefined` when the engine does not show it. */
  readonly expression: string | undefined
  /** Whether the value is kept, or computed on every read. */
  readonly stored: boolean
}

/** A primary key or a UNIQUE constraint. */
export interface CatalogueKey {
  /** The name given to the constraint; absent when it was given none. */
  readonly name?: string
  readonly columns: readonly string[]
}

/** A foreign key. */
export interface CatalogueForeignKey {
  /** The name given to the constraint; absent when it was given none. */
  readonly name?: string
  readonly columns: readonly string[]
  readonly referencedTable: string
  /** In the order of `columns`; `undefined` when the key names none and the table or its primary key is missing. */
  readonly referencedColumns: readonly string[] | undefined
  readonly onDelete: ReferentialAction
  readonly onUpdate: ReferentialAction
  /** When a violation is found; `undefined` when that cannot be told. */
  readonly deferrable: Deferrability | undefined
}

/** What happens to the children when their parent goes or changes. */
export type ReferentialAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default'

/**
 * Whether a constraint can wait for COMMIT: `no`; `immediate` (it can, and does not unless told to); `deferred` (it
 * does unless told not to). SQLite treats the first two alike.
 */
export type Deferrability = 'no' | 'immediate' | 'deferred'

/** A CHECK constraint. */
export interface CatalogueCheck {
  /** The name given to the constraint; absent when it was given none. */
  readonly name?: string
  readonly expression: string
}

/** An index. */
export interface CatalogueIndex {
  readonly name: string
  readonly unique: boolean
  /** The text after WHERE; `undefined` for an index over all rows. */
  readonly partial: string | undefined
  /** The keys in order. */
  readonly columns: readonly CatalogueIndexColumn[]
  /** `index` for `CREATE INDEX`; otherwise the constraint that it enforces. */
  readonly origin: 'index' | 'unique' | 'primaryKey'
}

/** One key of an index: a column or an expression. */
export interface CatalogueIndexColumn {
  readonly name?: string
  /** As it was written, which is how SQLite recognises it in a query. */
  readonly expression?: string
  readonly descending: boolean
  /** As the engine names it; SQLite compares these names without regard to case. */
  readonly collation: string
}
