import { sqliteMemory } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction } from './orms/in-outer-transaction.ts'
import {
  transactionsKysely,
  wrappedKysely,
  wrappedKyselyCallbacks,
} from './orms/transactions-kysely.ts'

describeContract(sqliteMemory, wrappedKysely())
describeContract(sqliteMemory, wrappedKyselyCallbacks())
describeContract(sqliteMemory, transactionsKysely())
describeContract(sqliteMemory, inOuterTransaction(transactionsKysely()))
