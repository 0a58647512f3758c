/** An attack could not run to its end, so it neither succeeded nor was resisted. The message says what was expected. */
export class Inconclusive extends Error {
  override readonly name = 'Inconclusive';
}
