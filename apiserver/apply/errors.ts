/** A configuration that cannot be applied, or managedFields that cannot be read. The message is what kube-apiserver answers. */
export class ApplyError extends Error {
  override readonly name: string = 'ApplyError'
}

/** The configuration names another kind or version than the request, or sets managedFields: the client's mistake, a 400. */
export class InvalidApply extends ApplyError {
  override readonly name = 'InvalidApply'
}

/** managedFields, or a FieldsV1 in them, that cannot be read. */
export class ManagedFieldsError extends ApplyError {
  override readonly name = 'ManagedFieldsError'
}

/** An object that could not be had in another version of its kind. */
export class ConversionError extends ApplyError {
  override readonly name = 'ConversionError'
}

/** One place at which a value does not fit its schema. */
export interface TypeProblem {
  /** `.spec.ports[port=80].name`; empty for the whole object. */
  readonly path: string
  readonly message: string
}

/**
 * An object that does not fit its schema: an undeclared field, a wrong type, two items of a list with the same key. kube-apiserver
 * answers 500 to it although it is the client's mistake.
 */
export class TypedError extends ApplyError {
  override readonly name = 'TypedError'
  readonly problems: readonly TypeProblem[]

  /** @param context what was being done, put before the text of the problems */
  constructor (problems: readonly TypeProblem[], context = '') {
    super(context + problemsText(problems))
    this.problems = problems
  }

  /** The same problems, said to have come up while doing something. */
  in (context: string): TypedError { return new TypedError(this.problems, context) }
}

const problemText = (p: TypeProblem): string => p.path === '' ? p.message : `${p.path}: ${p.message}`

function problemsText (problems: readonly TypeProblem[]): string {
  return problems.length === 1 ? problemText(problems[0]!) : ['errors:', ...problems.map(p => '  ' + problemText(p))].join('\n')
}
