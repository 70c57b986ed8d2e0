export {
  ConnectionBusyError,
  DatabaseClosedError,
  KeelsonError,
  OptionError,
  TransactionAbortedError,
  TransactionClosedError,
} from './errors/keelson-error.ts'
export { checkOptionNames, describeValue, invalidOption } from './options.ts'
