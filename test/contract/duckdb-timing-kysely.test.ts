import { duckdb } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { timedKysely, timedKyselyCallbacks, timedTransactionsKysely } from './orms/timing.ts'

describeContract(duckdb, timedKysely())
describeContract(duckdb, timedKyselyCallbacks())
describeContract(duckdb, timedTransactionsKysely())
