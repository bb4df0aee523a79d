#!/usr/bin/env node
import { openCompiledCommand } from './compiled-command.js'

// The one place that ends the process. From the sources there are only the modules.
const { run } = openCompiledCommand()?.exports ?? await import('./command.js')
process.exitCode = await run(process.argv.slice(2))
