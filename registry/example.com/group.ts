import { webapps } from './webapps/resource.js'

export const resources = [webapps]
