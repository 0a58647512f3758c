/** Limits of a recording. What is beyond them is passed on and not recorded. */

export const bodyCharactersMax = 1_000_000;
export const exchangesMax = 5_000;
/** All bodies of one pass together. */
export const passCharactersMax = 50_000_000;
export const harBytesMax = 200 * 1024 * 1024;
export const harEntriesMax = 20_000;
