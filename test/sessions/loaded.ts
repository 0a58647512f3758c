/** Every entry of a registry that loads each when it is asked for: tests of a contract want them all at once. */
export async function loaded<Entry>(
  registry: Readonly<Record<string, () => Promise<Entry>>>,
): Promise<Readonly<Record<string, Entry>>> {
  const entries = Object.entries(registry).map(async ([name, load]) => [name, await load()] as const);
  return Object.fromEntries(await Promise.all(entries));
}
