import { spawn } from 'node:child_process';
import { findProgram } from '../../../shared/tools.mjs';

/** The program of each platform that opens an address in the browser of the user. */
const openers: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: 'open', linux: 'xdg-open' };

/** Opens an address in the browser of the user, which outlives this process. Returns the problem in words. */
export function openInBrowser(address: string): string | undefined {
  const name = openers[process.platform] ?? 'xdg-open';
  const program = findProgram([name]);
  if (program === undefined) return `no program ${name} on PATH`;
  const child = spawn(program, [address], { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  return undefined;
}
