import { custommetrics } from './custommetrics/resource.js'

export const resources = [custommetrics]
