/** The proxy has no means for what a row does. The message says what is missing. */
export class NoMeans extends Error {
  override readonly name = 'NoMeans';
}

/** What a row did to the system could not be confirmed. The message says what was expected. */
export class Unestablished extends Error {
  override readonly name = 'Unestablished';
}
