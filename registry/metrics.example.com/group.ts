import { custommetrics } from './custommetrics/resource.js'
import { metricmappings } from './metricmappings/resource.js'

export const resources = [custommetrics, metricmappings]
