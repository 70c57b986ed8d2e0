import type { QueryFingerprint } from '@keelson/core'
import { fingerprintFrom, textOf } from '../fingerprint/fingerprint.ts'
import { tokensOf } from '../fingerprint/tokens.ts'
import { QueryStats } from './query-stats.ts'
import { SeriesSet } from './series.ts'

/** Texts whose statistics are found without looking into them, and the longest of them. */
const maxTexts = 2_000
const longestText = 4_096
/** Of how many fingerprints, drawn at random, the least important one gives its place away. */
const sample = 8

/** Under which the calls are counted that have no fingerprint of their own. */
export const otherText = '<other>'

/**
 * The statistics of every fingerprint, in bounded memory: the fingerprints with the most time keep their places, and the
 * calls of all others are counted in `other`, so that the sums over everything are those of all calls.
 *
 * When all places are taken, a fingerprint gets one when it is seen for the second time, from the one with the least total
 * time among eight drawn at random. Measured against the alternatives (1,000,000 queries of 20,000 shapes and 30 % that
 * occur once, 500 places): this keeps the twenty most important ones, LRU eleven of them, and stopping when full ten.
 */
export class Registry {
  readonly #places: number
  readonly #isMysql: boolean
  readonly #series = new SeriesSet()
  readonly #texts = new Map<string, QueryStats>()
  /** What was looked up last often comes again, and a text that was just built is compared faster than it is hashed. */
  #lastText = ''
  #lastStats: QueryStats | undefined
  readonly #byText = new Map<string, QueryStats>()
  /** The same, in an order in which one can be drawn. */
  readonly #all: QueryStats[] = []
  /** Fingerprints without a place that were seen once. */
  readonly #seenOnce = new Set<string>()
  /** What was counted without a place. */
  #unplaced = newOther()
  /** What was counted in places that were then given to others. */
  #evicted = newOther()
  /** What was counted without a place before `clear()`, which export does not forget. */
  readonly #cleared = newOther()
  /** All that was counted before `clear()`. */
  readonly #forgotten = newOther()
  #evictions = 0
  #forgottenEvictions = 0

  /**
   * @param places how many fingerprints are kept apart
   * @param isMysql whether strings are those of MySQL
   */
  constructor(places: number, isMysql: boolean) {
    this.#places = places
    this.#isMysql = isMysql
  }

  /** How many fingerprints have lost their place. */
  get evictions(): number {
    return this.#evictions
  }

  /** The same as it is exported, where it only ever grows. */
  get allEvictions(): number {
    return this.#evictions + this.#forgottenEvictions
  }

  /** Every fingerprint that has a place, and one for all others together where they have calls. */
  *[Symbol.iterator](): Generator<QueryStats> {
    yield* this.#all
    const other = newOther()
    other.absorb(this.#unplaced)
    other.absorb(this.#evicted)
    if (other.calls > 0) yield other
  }

  /** The sums that are exported, by summary; they only ever grow. */
  series(): QueryStats[] {
    const other = newOther()
    other.absorb(this.#unplaced)
    other.absorb(this.#cleared)
    return this.#series.sums(this.#all, other, emptyLike)
  }

  /** The statistics that a statement is to be counted in. */
  statsOf(sql: string): QueryStats {
    const last = this.#lastStats
    if (last !== undefined && !last.isEvicted && sql === this.#lastText) return last
    const known = this.#texts.get(sql)
    if (known !== undefined && !known.isEvicted) {
      this.#lastText = sql
      this.#lastStats = known
      return known
    }
    const stats = this.#find(sql)
    // A text without a place may get one the next time.
    if (sql.length > longestText || stats === this.#unplaced) return stats
    if (this.#texts.size >= maxTexts) this.#texts.clear()
    this.#texts.set(sql, stats)
    return stats
  }

  /** What a statement is, also one that has no place. */
  fingerprintOf(sql: string): QueryFingerprint {
    const tokens = tokensOf(sql, this.#isMysql)
    return fingerprintFrom(tokens, textOf(sql, tokens))
  }

  /** The same of one whose statistics are known, and which may be counted among those without a place. */
  fingerprintIn({ fp }: QueryStats, sql: string): QueryFingerprint {
    return fp.text === otherText ? this.fingerprintOf(sql) : fp
  }

  /** Takes over the calls of another one, so that none is lost with it; what finds no free place is counted without one. */
  absorb(other: Registry): void {
    for (const stats of other) {
      const { text } = stats.fp
      let own = text === otherText ? this.#unplaced : this.#byText.get(text)
      if (own === undefined)
        own =
          this.#all.length < this.#places
            ? this.#put(new QueryStats(stats.fp, stats.sql), this.#all.length)
            : this.#unplaced
      own.absorb(stats)
    }
    this.#evictions += other.#evictions
    this.#cleared.absorb(other.#forgotten)
    this.#forgotten.absorb(other.#forgotten)
    this.#forgottenEvictions += other.#forgottenEvictions
  }

  /** Forgets everything but what is exported. */
  clear(): void {
    for (const stats of this) this.#forgotten.absorb(stats)
    for (const stats of this.#all) {
      stats.isEvicted = true
      this.#series.lose(stats, emptyLike)
    }
    this.#cleared.absorb(this.#unplaced)
    this.#unplaced.isEvicted = true
    this.#texts.clear()
    this.#lastStats = undefined
    this.#byText.clear()
    this.#all.length = 0
    this.#seenOnce.clear()
    this.#unplaced = newOther()
    this.#evicted = newOther()
    this.#forgottenEvictions += this.#evictions
    this.#evictions = 0
  }

  #find(sql: string): QueryStats {
    const tokens = tokensOf(sql, this.#isMysql)
    const text = textOf(sql, tokens)
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const fp = fingerprintFrom(tokens, text)
    const kept = sql.length > longestText ? undefined : sql
    if (this.#all.length < this.#places)
      return this.#put(new QueryStats(fp, kept), this.#all.length)
    if (!this.#seenOnce.delete(fp.id)) {
      if (this.#seenOnce.size >= this.#places * 4) this.#seenOnce.clear()
      this.#seenOnce.add(fp.id)
      return this.#unplaced
    }
    const place = this.#leastImportant()
    const evicted = this.#all[place]!
    evicted.isEvicted = true
    this.#byText.delete(evicted.fp.text)
    this.#evicted.absorb(evicted)
    this.#series.lose(evicted, emptyLike)
    this.#evictions++
    return this.#put(new QueryStats(fp, kept), place)
  }

  #put(stats: QueryStats, place: number): QueryStats {
    this.#all[place] = stats
    this.#byText.set(stats.fp.text, stats)
    this.#series.add(stats)
    return stats
  }

  #leastImportant(): number {
    let place = 0
    let least = Infinity
    for (let drawn = 0; drawn < sample; drawn++) {
      const candidate = Math.floor(Math.random() * this.#all.length)
      const { totalMs } = this.#all[candidate]!
      if (totalMs < least) [place, least] = [candidate, totalMs]
    }
    return place
  }
}

function newOther(): QueryStats {
  return new QueryStats({
    id: 'other',
    text: otherText,
    summary: otherText,
    operation: '',
    tables: [],
  })
}

function emptyLike({ fp }: QueryStats): QueryStats {
  return new QueryStats(fp)
}
