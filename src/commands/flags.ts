/** The flags that a builder has. */
export interface Flags {
  readonly known: readonly string[];
  readonly lists: readonly string[];
  readonly switches: readonly string[];
  /** Values that are paths. */
  readonly paths: readonly string[];
}

/** yargs knows; its types leave it out. */
export function flagsOf(builder: object): Flags {
  if (!('getOptions' in builder) || typeof builder.getOptions !== 'function') throw new TypeError('another yargs');
  const options: { key: object; array: string[]; boolean: string[]; normalize: string[] } = builder.getOptions();
  const { array: lists, boolean: switches, normalize: paths } = options;
  return { known: Object.keys(options.key), lists, switches, paths };
}
