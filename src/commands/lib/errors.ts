/** A command line that Holdfast cannot carry out: exit code 3. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
