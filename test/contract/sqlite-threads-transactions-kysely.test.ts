import { sqliteThreads } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { transactionsKysely } from './orms/transactions-kysely.ts'

describeContract(sqliteThreads, transactionsKysely())
