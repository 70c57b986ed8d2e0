import { Histogram } from '@keelson/timing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

/** Milliseconds between what a histogram tells apart. */
const duration = fc.double({ min: 0.0003, max: 4_000_000, noNaN: true })

function histogramOf(durations: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const ms of durations) histogram.record(ms)
  return histogram
}

describe('Histogram', () => {
  test('is off by at most 3.1 % at every quantile, at every magnitude', () => {
    fc.assert(
      fc.property(
        fc.array(duration, { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (durations, share) => {
          const sorted = durations.toSorted((one, other) => one - other)
          const exact = sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1]!
          const told = histogramOf(durations).quantile(share)
          expect(Math.abs(told - exact) / exact).toBeLessThanOrEqual(0.031)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('counts what is beyond its bounds in its first and last bucket', () => {
    const histogram = histogramOf([0, 1e-9, 1e12, Infinity])
    expect(histogram.count).toBe(4)
    expect(histogram.toJSON()).toEqual([
      [0, 2],
      [Histogram.size - 1, 2],
    ])
    expect(new Histogram().quantile(0.5)).toBe(0)
  })

  test('is the sum of its parts', () => {
    fc.assert(
      fc.property(fc.array(duration), fc.array(duration), (one, other) => {
        const sum = histogramOf(one)
        sum.add(histogramOf(other))
        const whole = histogramOf([...one, ...other])
        expect(sum.toJSON()).toEqual(whole.toJSON())
        expect(sum.count).toBe(whole.count)
      }),
    )
  })

  test('comes back from JSON as it was, and refuses what never was one', () => {
    const histogram = histogramOf([0.01, 5, 5, 900])
    const again = Histogram.from(JSON.parse(JSON.stringify(histogram)))
    expect(again.toJSON()).toEqual(histogram.toJSON())
    expect(again.quantile(0.5)).toBe(histogram.quantile(0.5))
    expect(() => Histogram.from([[Histogram.size, 1]])).toThrow(/no bucket/)
    expect(() => Histogram.from([[1, -1]])).toThrow(/no bucket/)
  })

  test('says how many were at most as long as each of some bounds', () => {
    const histogram = histogramOf([0.5, 2, 2, 30, 4_000])
    expect(histogram.cumulative([1, 10, 100, 1_000])).toEqual([1, 3, 4, 4])
  })
})
