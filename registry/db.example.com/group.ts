import { databases } from './databases/resource.js'

export const resources = [databases]
