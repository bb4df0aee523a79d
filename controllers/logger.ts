/** What is logged: constant messages with fields, as pino takes them. Any pino logger is one. */
export interface Logger {
  debug (fields: object, message: string): void
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

const nothing = (): void => undefined

/** Says nothing: the default everywhere. */
export const silentLogger: Logger = Object.freeze({ debug: nothing, info: nothing, warn: nothing, error: nothing })
