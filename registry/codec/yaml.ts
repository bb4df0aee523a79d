// placeholder until the real one lands
import { parse, stringify } from 'yaml'
import type { JsonValue } from './value.js'
export const parseYaml = (b: Buffer): { value: JsonValue; duplicates: string[] } => ({ value: parse(b.toString(), { version: '1.1' }) as JsonValue, duplicates: [] })
export const printYaml = (v: JsonValue): string => stringify(v, { sortMapEntries: true })
