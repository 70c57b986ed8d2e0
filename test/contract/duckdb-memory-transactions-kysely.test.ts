import { duckdbMemory } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction, joining } from './orms/in-outer-transaction.ts'
import {
  transactionsKysely,
  wrappedKysely,
  wrappedKyselyCallbacks,
} from './orms/transactions-kysely.ts'

describeContract(duckdbMemory, wrappedKysely())
describeContract(duckdbMemory, wrappedKyselyCallbacks())
describeContract(duckdbMemory, transactionsKysely())
describeContract(
  duckdbMemory,
  inOuterTransaction(transactionsKysely({ defaults: { propagation: 'required' } }), joining),
)
