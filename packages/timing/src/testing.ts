export {
  expectQueryCount,
  failOnNPlusOne,
  failOnScan,
  type ScanOptions,
  TimingExpectationError,
} from './testing/expectations.ts'
