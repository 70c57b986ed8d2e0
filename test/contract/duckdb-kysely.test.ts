import { duckdb } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { kysely, kyselyCallbacks } from './orms/kysely.ts'

describeContract(duckdb, kysely())
describeContract(duckdb, kyselyCallbacks())
