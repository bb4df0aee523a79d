/** The reason of a signal that aborts because the lease could not be renewed: another may lead in a moment, so stop at once. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError'
}
