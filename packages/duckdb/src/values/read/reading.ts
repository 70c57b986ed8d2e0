import type { ValuePolicies } from '../../contract.ts'
import { dayText } from '../text/day-text.ts'

/** Dates repeat within a column, and their text costs more than anything else of a timestamp. */
const daysKept = 4_096

/** What the cells of one column share. */
export class Reading {
  /** The column's name, for errors; of a nested value, that of the outermost column. */
  readonly column: string
  readonly policies: ValuePolicies
  readonly #days = new Map<number, string>()
  #lastDay = NaN
  #lastText = ''

  constructor(column: string, policies: ValuePolicies) {
    this.column = column
    this.policies = policies
  }

  /** The text of a day, counted from 1970-01-01. */
  dayText(day: number): string {
    if (day === this.#lastDay) return this.#lastText
    let text = this.#days.get(day)
    if (text === undefined) {
      text = dayText(day)
      if (this.#days.size === daysKept) this.#days.clear()
      this.#days.set(day, text)
    }
    this.#lastDay = day
    this.#lastText = text
    return text
  }
}
