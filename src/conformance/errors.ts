/** The proxy has no means for what a row does. The message says what is missing. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable';
}

/** What a row did to the system could not be confirmed. The message says what was expected. */
export class Unestablished extends Error {
  override readonly name = 'Unestablished';
}
