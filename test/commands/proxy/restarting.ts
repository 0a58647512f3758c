import { type Holdfast, until } from '../holdfast.js';

const listens = /listening on (https?:\S+:\d+), admin API on (\S+?)(?:,|\s)/g;
const takes = /restart: process (\d+) serves/g;

/** Sends SIGUSR2 to the process that serves now, and returns the one that took over. */
export async function restart(holdfast: Holdfast, pid: number): Promise<number> {
  const before = [...holdfast.output.stderr.matchAll(takes)].length;
  process.kill(pid, 'SIGUSR2');
  await until(
    () => [...holdfast.output.stderr.matchAll(takes)].length > before,
    15_000,
    () => `a successor in:\n${holdfast.output.stderr}`,
  );
  return Number([...holdfast.output.stderr.matchAll(takes)].at(-1)?.[1]);
}

/** Its successor has the same output, so the end of the output says nothing. */
export async function exitCodeOf({ child }: Holdfast): Promise<number | null> {
  await until(
    () => child.exitCode !== null,
    40_000,
    () => 'the end of the process that was replaced',
  );
  return child.exitCode;
}

export function adminOf({ output }: Holdfast): string {
  return [...output.stderr.matchAll(listens)].at(-1)?.[2] ?? '';
}

export function urlOf({ output }: Holdfast): string {
  return [...output.stderr.matchAll(listens)].at(-1)?.[1] ?? '';
}
