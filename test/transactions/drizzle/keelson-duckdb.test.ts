import { describeBehaviour } from './behaviour.ts'
import { ourDuckDB } from './drivers.ts'

describeBehaviour(ourDuckDB)
