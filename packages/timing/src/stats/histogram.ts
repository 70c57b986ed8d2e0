/** Sixteen buckets in each doubling of the value, whose bounds are then 1/16 apart. */
const bitsPerOctave = 4
const bucketsPerOctave = 1 << bitsPerOctave
/** 2^-12 ms is 0.24 microseconds, below what `performance.now()` can tell; 2^22 ms are 70 minutes. */
const smallestExponent = -12
const largestExponent = 22
const octaves = largestExponent - smallestExponent

/** The exponent and the first bits of the mantissa of a double are the number of its bucket, but for where they begin. */
const shift = 20 - bitsPerOctave
const exponentBias = 1023
const offset = (smallestExponent + exponentBias) << bitsPerOctave

const double = new Float64Array(1)
const words = new Uint32Array(double.buffer)
const highWord = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0

/**
 * How many durations were about how long: a log-linear histogram of fixed size (2.2 kB), whose quantiles are off by at most
 * 3.1 % of the value, whatever its magnitude.
 *
 * The bounds of a bucket are 16:17 at the widest; the value that is told for it is their harmonic mean, 3.03 % away from
 * both. `record()` reads the number of the bucket from the bits of the double and searches nothing.
 *
 * Durations below 0.24 microseconds and above 70 minutes are counted in the first and last bucket.
 */
export class Histogram {
  /** The number of buckets of every histogram. */
  static readonly size: number = octaves << bitsPerOctave

  readonly #counts = new Uint32Array(Histogram.size)
  #count = 0

  /** How many durations were recorded. */
  get count(): number {
    return this.#count
  }

  /** @param ms a duration in milliseconds, not negative */
  record(ms: number): void {
    double[0] = ms
    const index = (words[highWord]! >>> shift) - offset
    const at = index < 0 ? 0 : index >= Histogram.size ? Histogram.size - 1 : index
    this.#counts[at] = this.#counts[at]! + 1
    this.#count++
  }

  /**
   * The duration that a share of all durations does not exceed.
   *
   * @param share from 0 to 1: 0.95 for the 95th percentile
   * @returns milliseconds; 0 where nothing was recorded
   */
  quantile(share: number): number {
    if (this.#count === 0) return 0
    const rank = Math.max(1, Math.ceil(this.#count * share))
    let seen = 0
    let at = 0
    for (; at < Histogram.size - 1; at++) {
      seen += this.#counts[at]!
      if (seen >= rank) break
    }
    const lower = lowerBound(at)
    const upper = lowerBound(at + 1)
    return (2 * lower * upper) / (lower + upper)
  }

  /** Counts what the other one has counted, too. */
  add(other: Histogram): void {
    for (let at = 0; at < Histogram.size; at++)
      this.#counts[at] = this.#counts[at]! + other.#counts[at]!
    this.#count += other.#count
  }

  copy(): Histogram {
    const copy = new Histogram()
    copy.#counts.set(this.#counts)
    copy.#count = this.#count
    return copy
  }

  /**
   * How many durations were at most as long as each bound, for a histogram of Prometheus or OpenTelemetry.
   *
   * @param bounds in milliseconds, ascending; a bucket belongs to the first bound that is not below its middle
   * @returns as many counts as bounds, each including those before it
   */
  cumulative(bounds: readonly number[]): number[] {
    const counts = bounds.map(() => 0)
    let at = 0
    let seen = 0
    for (const [index, bound] of bounds.entries()) {
      for (; at < Histogram.size && (lowerBound(at) + lowerBound(at + 1)) / 2 <= bound; at++)
        seen += this.#counts[at]!
      counts[index] = seen
    }
    return counts
  }

  /** The buckets that are not empty, as pairs of number and count: small enough to be sent each second. */
  toJSON(): [bucket: number, count: number][] {
    const filled: [number, number][] = []
    for (const [at, count] of this.#counts.entries()) if (count > 0) filled.push([at, count])
    return filled
  }

  /**
   * The histogram of what `toJSON()` has given.
   *
   * @throws {RangeError} when a bucket does not exist
   */
  static from(filled: readonly (readonly [bucket: number, count: number])[]): Histogram {
    const histogram = new Histogram()
    for (const [at, count] of filled) {
      if (!Number.isInteger(at) || at < 0 || at >= Histogram.size || !(count >= 0))
        throw new RangeError(`A histogram has no bucket ${at} with the count ${count}.`)
      histogram.#counts[at] = count
      histogram.#count += count
    }
    return histogram
  }
}

/** @returns milliseconds */
function lowerBound(bucket: number): number {
  const octave = 2 ** ((bucket >> bitsPerOctave) + smallestExponent)
  return octave * (1 + (bucket % bucketsPerOctave) / bucketsPerOctave)
}
