import { duckdb } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction, joining } from './orms/in-outer-transaction.ts'
import {
  transactionsKysely,
  wrappedKysely,
  wrappedKyselyCallbacks,
} from './orms/transactions-kysely.ts'

describeContract(duckdb, wrappedKysely())
describeContract(duckdb, wrappedKyselyCallbacks())
describeContract(duckdb, transactionsKysely())
describeContract(
  duckdb,
  inOuterTransaction(transactionsKysely({ defaults: { propagation: 'required' } }), joining),
)
