/** A command line that cannot be carried out: exit code 3. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
