/**
 * Maps the items with at most `max` calls of `work` at the same time. Returns the results in the order of the items.
 * When a call rejects it starts no further call, waits for those in progress, and rejects.
 */
export async function mapConcurrently<Item, T>(
  items: readonly Item[],
  max: number,
  work: (item: Item) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < items.length && !failed) {
      const at = next++;
      const item = items[at];
      if (item === undefined) continue;
      try {
        results[at] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: max }, worker));
  const broken = ends.find(end => end.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  return results;
}
