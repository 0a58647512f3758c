/** The proxy has no means for what a row does. The message says what is missing. */
export class NoMeans extends Error {
  override readonly name = 'NoMeans';
}

/** A change that a row made to the system could not be confirmed. The message says what was expected. */
export class Unestablished extends Error {
  override readonly name: string = 'Unestablished';
}

/** A change that a row made had no effect, as a later look shows. So the row proves nothing, whatever its users saw. */
export class WithoutEffect extends Unestablished {
  override readonly name = 'WithoutEffect';
}
