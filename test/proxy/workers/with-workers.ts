import { readFile } from 'node:fs/promises';
import { type Holdfast, withHoldfast } from '../../commands/holdfast.js';

export interface Team {
  readonly holdfast: Holdfast;
  readonly url: string;
  readonly admin: string;
}

/** Runs the command, and continues once it listens. */
export async function withWorkers(
  backends: readonly string[],
  use: (proxy: Team) => Promise<void>,
  flags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
  openFilesMax?: number,
): Promise<void> {
  const given = backends.flatMap(url => ['--backend', url]);
  const where = ['--workers', '2', '--port', '0', '--admin-port', '0', '--health-interval', '200ms'];
  await withHoldfast(
    ['proxy', ...where, ...flags, ...given],
    async holdfast => {
      await holdfast.sees(/listening on/);
      const [, url = '', admin = ''] =
        /listening on (https?:\S+), admin API on (http:\S+)/.exec(holdfast.output.stderr) ?? [];
      await use({ holdfast, url, admin });
    },
    env,
    openFilesMax,
  );
}

export async function workersOf({ holdfast }: Team): Promise<number[]> {
  const pid = holdfast.child.pid ?? 0;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}
