/**
 * How many frames of the stack are remembered of a transaction, for the messages that say where it was begun. Each costs
 * about as much as a promise, so that the stack is taken where the caller is near.
 */

/** In `transaction()` itself: its own two, the caller, and three of a helper that calls for him. */
export const directFrames = 6
/** Where Drizzle's own call and the layers lie between. */
export const ormFrames = 10
