/** A recording that cannot be used, such as a HAR file without cookies: exit code 3. The message says what to do. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}
