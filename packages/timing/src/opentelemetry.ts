export {
  type MetricProducer,
  metricProducer,
  type MetricProducerOptions,
} from './opentelemetry/metric-producer.ts'
export { spanSink, type SpanSinkOptions } from './opentelemetry/span-sink.ts'
