/** Loads every entry of a registry. Contract tests need all of them at once. */
export async function loaded<Entry>(
  registry: Readonly<Record<string, () => Promise<Entry>>>,
): Promise<Readonly<Record<string, Entry>>> {
  const entries = Object.entries(registry).map(async ([name, load]) => [name, await load()] as const);
  return Object.fromEntries(await Promise.all(entries));
}
