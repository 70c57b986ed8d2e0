import { duckdb } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { timedDrizzle, timedTransactionsDrizzle } from './orms/timing.ts'

describeContract(duckdb, timedDrizzle())
describeContract(duckdb, timedTransactionsDrizzle())
