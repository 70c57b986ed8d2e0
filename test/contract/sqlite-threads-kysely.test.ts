import { sqliteThreads } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { kysely, kyselyCallbacks } from './orms/kysely.ts'

describeContract(sqliteThreads, kysely())
describeContract(sqliteThreads, kyselyCallbacks())
