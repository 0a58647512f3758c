import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Takes all free descriptors from the process in $1, and gives them back when it reads a second line. */
const script = `
  usual=$(prlimit --pid $1 --nofile --output SOFT --noheadings --raw)
  for limit in 3 $usual; do read go; prlimit --pid $1 --nofile=$limit: && echo done; done`;

/**
 * Runs `use` while this process can open no descriptor: no file, no connection. Open ones work as before.
 */
export async function withoutDescriptors(use: () => Promise<void>): Promise<void> {
  const limiter = spawn('sh', ['-c', script, 'sh', String(process.pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface(limiter.stdout);
  const step = async (): Promise<void> => {
    limiter.stdin.write('go\n');
    await once(answers, 'line');
  };
  await step();
  try {
    await use();
  } finally {
    await step();
    limiter.stdin.end();
  }
}
