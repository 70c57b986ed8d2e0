import type { Run } from '../shape/run.ts'

/** A row of a batch. */
export interface Place {
  readonly run: Run
  readonly position: number
}

interface Group {
  /** Rows with one key that have not been rejected, in the order of the input. */
  members: readonly Place[]
  /** The one that is in. */
  taken: Place | undefined
}

/**
 * Which of several rows with one key is sent, where the engine was asked what is equal before rows are sent apart. A row
 * that is rejected counts for nothing: the next one with its key is chosen in its place.
 */
export class KeyChoice {
  readonly keep: 'error' | 'first' | 'last'
  /** By the position in the input; a row whose key no other has is in none. */
  readonly #groups = new Map<number, Group>()

  /** @param groups rows with one key, in the order of the input, at least two of each */
  constructor(keep: 'error' | 'first' | 'last', groups: readonly (readonly Place[])[]) {
    this.keep = keep
    for (const members of groups) {
      const group: Group = { members, taken: undefined }
      for (const place of members) this.#groups.set(indexOf(place), group)
    }
  }

  /** Whether rows of one key were found. */
  get matters(): boolean {
    return this.#groups.size > 0
  }

  isChosen(place: Place): boolean {
    const group = this.#groups.get(indexOf(place))
    if (group === undefined) return true
    const chosen = this.keep === 'last' ? group.members.at(-1) : group.members[0]
    return group.taken === undefined && isSame(chosen!, place)
  }

  /** Whether another row with its key is in. */
  isPassedOver(place: Place): boolean {
    const taken = this.#groups.get(indexOf(place))?.taken
    return taken !== undefined && !isSame(taken, place)
  }

  /**
   * A row that was chosen is in.
   *
   * @returns the rows before it that are passed over for it
   */
  taken(place: Place): readonly Place[] {
    const group = this.#groups.get(indexOf(place))
    if (group === undefined) return []
    group.taken = place
    return this.keep === 'last' ? group.members.slice(0, -1) : []
  }

  /**
   * A row is not in, and will not be.
   *
   * @returns the row that is chosen in its place, where that was passed by before
   */
  rejected(place: Place): Place | undefined {
    const group = this.#groups.get(indexOf(place))
    if (group === undefined) return undefined
    group.members = group.members.filter((each) => !isSame(each, place))
    return this.keep === 'last' && group.taken === undefined ? group.members.at(-1) : undefined
  }
}

function isSame(one: Place, other: Place): boolean {
  return indexOf(one) === indexOf(other)
}

/** Its position in the input. */
function indexOf({ run, position }: Place): number {
  return run.indexes[position]!
}
