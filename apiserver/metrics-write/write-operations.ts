import { identifier, type Operation } from '../openapi/operation.js'

const text = { 'text/plain': { type: 'string' } }
const bytes = { type: 'string', format: 'binary' }
/** A message of OTLP: its JSON is the one of protobuf's JSON mapping. */
const otlp = { 'application/x-protobuf': bytes, 'application/json': { type: 'object' } }

const descriptions = {
  remoteWrite: 'write samples by Prometheus remote write: a snappy block (Content-Encoding: snappy) of a prometheus.WriteRequest, or of an io.prometheus.write.v2.Request if the Content-Type has proto=io.prometheus.write.v2.Request',
  otlp: 'write samples by OTLP: an ExportMetricsServiceRequest, plain or with Content-Encoding: gzip'
}

/** The operations of the create-only resources as OpenAPI publishes them: what is taken and answered is the protocol's, not an object. */
export function writeOperations (group: string, version: string): Operation[] {
  const operation = (plural: string, kind: string): Pick<Operation, 'path' | 'method' | 'operationId' | 'tag' | 'parameters' | 'action' | 'gvk'> => ({
    path: `/apis/${group}/${version}/namespaces/{namespace}/${plural}`,
    method: 'post',
    operationId: `create${identifier(group, true)}${identifier(version, true)}Namespaced${kind}`,
    tag: `${identifier(group, false)}_${identifier(version, false)}`,
    parameters: [{ name: 'namespace', in: 'path', type: 'string', description: 'The namespace, whose MetricMappings say what becomes of the samples.' }],
    action: 'post',
    gvk: { group, version, kind }
  })
  const tooLarge = 'The body is too large, as it came or decompressed'
  const unsupported = 'The Content-Type or Content-Encoding is not supported'
  const failed = 'google.rpc.Status, in the encoding of the request:'
  return [
    {
      ...operation('remotewrites', 'RemoteWrite'),
      description: descriptions.remoteWrite,
      consumes: ['application/x-protobuf'],
      body: { schema: { 'application/x-protobuf': bytes }, required: true },
      produces: ['text/plain'],
      responses: [
        { code: 204, description: 'All samples are taken; X-Prometheus-Remote-Write-Samples-Written, -Histograms-Written and -Exemplars-Written say how many' },
        { code: 400, description: 'The body cannot be read, or samples are refused; the first of each mistake is named, the others are taken', schema: text },
        { code: 413, description: tooLarge, schema: text },
        { code: 415, description: unsupported, schema: text }
      ]
    },
    {
      ...operation('otlpmetrics', 'OTLPMetrics'),
      description: descriptions.otlp,
      consumes: Object.keys(otlp),
      body: { schema: otlp, required: true },
      produces: Object.keys(otlp),
      responses: [
        { code: 200, description: 'ExportMetricsServiceResponse; partialSuccess counts points that are refused', schema: otlp },
        { code: 400, description: `${failed} the body cannot be read, or all points are refused`, schema: otlp },
        { code: 413, description: `${failed} ${tooLarge}`, schema: otlp },
        { code: 415, description: `${failed} ${unsupported}`, schema: otlp }
      ]
    }
  ]
}
