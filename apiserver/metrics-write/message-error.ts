/** A body that is not the message it should be. */
export class MessageError extends Error { override readonly name = 'MessageError' }
