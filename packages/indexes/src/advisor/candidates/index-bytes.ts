import type { EngineName } from '@keelson/core'

/**
 * How large an index is when it is new.
 *
 * @param entries how many there are
 * @param width bytes of the keys of one, as SQLite keeps them
 * @param rows of the table
 */
export function indexBytes(
  entries: number,
  width: number,
  rows: number,
  engine: EngineName,
): number {
  if (engine === 'sqlite') return sqliteBytes(entries, width, rows)
  if (engine === 'postgresql') return postgresqlBytes(entries, width)
  // A node for each value, whose parts are shared by those that begin alike.
  return entries * (width + 7) * 1.05
}

const sqlitePage = 4_096

/**
 * Of an entry there are its length, its place in the page, the length of its header, and the type of the rowid besides:
 * https://www.sqlite.org/fileformat2.html#b_tree_pages. An entry in an inner page is in no leaf.
 */
function sqliteBytes(entries: number, width: number, rows: number): number {
  const entry = width + rowidWidth(rows) + 5
  const inLeaf = (sqlitePage - 8) / entry
  return treePages((entries + 1) / (inLeaf + 1), sqlitePage / (entry + 4)) * sqlitePage
}

/** Bytes of the numbers from 1 to `rows`, on average. */
function rowidWidth(rows: number): number {
  const bounds = [2 ** 7, 2 ** 15, 2 ** 23, 2 ** 31, 2 ** 47]
  const bytes = bounds.reduce((all, bound) => all + Math.max(0, rows - bound + 1), rows)
  return bytes / Math.max(1, rows)
}

const postgresqlPage = 8_192

/** A tuple has a header and a line pointer, and begins at a multiple of 8; leaves are filled to nine tenths. */
function postgresqlBytes(entries: number, width: number): number {
  const entry = 4 + Math.ceil((8 + width) / 8) * 8
  const pages = treePages((entries * entry) / (postgresqlPage * 0.9), postgresqlPage / (entry + 8))
  // The first one says where the root is.
  return (pages + 1) * postgresqlPage
}

/** @param fanOut children of a page that is no leaf */
function treePages(leaves: number, fanOut: number): number {
  let level = Math.max(1, Math.ceil(leaves))
  let pages = level
  while (level > 1) {
    level = Math.ceil(level / Math.max(2, fanOut))
    pages += level
  }
  return pages
}
