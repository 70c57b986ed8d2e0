import { sqliteThreads } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { kysely } from './orms/kysely.ts'

// Whether a transaction is begun by a callback is nothing that the driver sees.
describeContract(sqliteThreads, kysely())
