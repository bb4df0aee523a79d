import { flagTable } from '../apiserver/options/apiserver-options.js'

/** README.md with the parts that are made from the code: between `<!-- flags -->` and `<!-- /flags -->`, the flags of `annex apiserver`. */
export const generatedReadme = (readme: string): string =>
  readme.replace(/(<!-- flags -->\n)[\s\S]*?(<!-- \/flags -->)/, (_, open: string, close: string) => `${open}${flagTable()}\n${close}`)
