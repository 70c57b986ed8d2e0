import { sqlite } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { timedKysely, timedKyselyCallbacks, timedTransactionsKysely } from './orms/timing.ts'

describeContract(sqlite, timedKysely())
describeContract(sqlite, timedKyselyCallbacks())
describeContract(sqlite, timedTransactionsKysely())
