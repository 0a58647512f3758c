/** Each begins when one of the others is over, so that `atOnce` of them are under way; in the order given. */
export function fewAtOnce<T>(atOnce: number, works: readonly (() => Promise<T>)[]): Promise<T>[] {
  const lanes: Promise<unknown>[] = Array.from({ length: atOnce }, () => Promise.resolve());
  return works.map((work, i) => {
    const running = (lanes[i % atOnce] ?? Promise.resolve()).then(work);
    lanes[i % atOnce] = running.catch(() => undefined);
    return running;
  });
}
