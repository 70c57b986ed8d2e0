/** An event to be appended. */
export interface NewEvent<Data = unknown> {
  /**
   * Stands for this event for ever: appended again it is found again. Make it where the event is made, so that a repeated
   * request repeats it. @default a new UUID, which makes every call a new append
   */
  readonly id?: string | undefined
  readonly type: string
  /** Anything that JSON can hold. */
  readonly data: Data
  /** Anything that JSON can hold: who, why, from where. */
  readonly metadata?: unknown
}

/** Where an event is. */
export interface AppendedEvent {
  readonly id: string
  /** In its stream, from 1, without gaps. */
  readonly version: number
  /** Among all events, from 1, without gaps, with `order: 'global'`; undefined without. */
  readonly position: number | undefined
}

export interface AppendResult {
  /** The version of the last of these events: what the stream was at right after them. */
  readonly version: number
  /** In the order in which they were given. */
  readonly events: readonly AppendedEvent[]
  /** All of them were there already, by their ids: nothing was written, and these are their old places. */
  readonly isRepeat: boolean
}
