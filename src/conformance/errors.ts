/** The proxy has no means for what a row does. The message says what is missing. */
export class NoMeans extends Error {
  override readonly name = 'NoMeans';
}

/** A change that a row made to the system could not be confirmed. The message says what was expected. */
export class Unestablished extends Error {
  override readonly name = 'Unestablished';
}
