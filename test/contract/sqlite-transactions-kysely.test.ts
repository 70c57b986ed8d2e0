import { sqlite } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction } from './orms/in-outer-transaction.ts'
import {
  transactionsKysely,
  wrappedKysely,
  wrappedKyselyCallbacks,
} from './orms/transactions-kysely.ts'

describeContract(sqlite, wrappedKysely())
describeContract(sqlite, wrappedKyselyCallbacks())
describeContract(sqlite, transactionsKysely())
describeContract(sqlite, inOuterTransaction(transactionsKysely()))
