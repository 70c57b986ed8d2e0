import { describeBehaviour } from './behaviour.ts'
import { libsqlMemory } from './drivers.ts'

describeBehaviour(libsqlMemory)
