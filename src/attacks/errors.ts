/** An attack could not be carried out: neither resisted nor succeeded. The message says what was expected. */
export class Inconclusive extends Error {
  override readonly name = 'Inconclusive';
}
