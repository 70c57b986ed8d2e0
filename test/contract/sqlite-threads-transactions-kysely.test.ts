import { sqliteThreads } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction } from './orms/in-outer-transaction.ts'
import {
  transactionsKysely,
  wrappedKysely,
  wrappedKyselyCallbacks,
} from './orms/transactions-kysely.ts'

describeContract(sqliteThreads, wrappedKysely())
describeContract(sqliteThreads, wrappedKyselyCallbacks())
describeContract(sqliteThreads, transactionsKysely())
describeContract(sqliteThreads, inOuterTransaction(transactionsKysely()))
