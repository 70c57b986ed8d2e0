import { describeBehaviour } from './behaviour.ts'
import { nodePostgresPool } from './drivers.ts'

describeBehaviour(nodePostgresPool)
