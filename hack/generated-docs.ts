import { flagTable } from '../apiserver/options/apiserver-options.js'
import { flagTable as managerFlagTable } from '../controllers/main.js'

/** What is made from the code, by the comments that surround it: `<!-- flags -->` … `<!-- /flags -->`. */
const generated = { flags: flagTable, 'controller-manager flags': managerFlagTable }

/** README.md with the parts that are made from the code: the flags of the commands. */
export function generatedReadme (readme: string): string {
  let text = readme
  for (const [name, make] of Object.entries(generated)) {
    text = text.replace(new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`), (_, open: string, close: string) => `${open}${make()}\n${close}`)
  }
  return text
}
