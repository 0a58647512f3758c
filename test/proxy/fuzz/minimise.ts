/** Returns the shortest text, found by removing pieces, for which `fails` still holds. */
export async function minimise(bytes: string, fails: (bytes: string) => Promise<boolean>): Promise<string> {
  let shortest = bytes;
  for (let size = Math.ceil(bytes.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < shortest.length; ) {
      const shorter = shortest.slice(0, at) + shortest.slice(at + size);
      if (await fails(shorter)) shortest = shorter;
      else at += size;
    }
  }
  return shortest;
}
