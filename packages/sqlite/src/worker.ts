/** The code of the threads, for a bundler to make a second file of: see `SqliteOptions.worker`. */
import './worker/main.ts'
