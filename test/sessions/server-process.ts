import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const bootTimeoutMs = 5_000;
const probeIntervalMs = 10;

/** A server program that listens on a loopback port, with a check that shows that it serves. */
interface ServerProgram {
  /** Name of the program, and of its package. */
  readonly name: string;
  readonly port: number;
  readonly args: readonly string[];
  readonly question: string;
  readonly answers: (reply: string) => boolean;
}

/** Resolves when the server answers. After a failure, no process and no directory is left. */
export async function bootServer(program: ServerProgram): Promise<ChildProcess> {
  const { name, port, args } = program;
  const child = spawn(name, args, { stdio: 'ignore' });
  const failed = once(child, 'exit').then(
    ([code]) => new Error(`${name} on port ${port} ended with code ${code} instead of serving`),
    error => new Error(`${name} cannot be started; install it: apt-get install ${name}`, { cause: error }),
  );
  const killOnExit = () => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  void failed.then(() => process.off('exit', killOnExit));
  const failure = await Promise.race([served(program), failed]);
  if (failure === undefined) return child;
  await killed(child);
  throw failure;
}

export async function killed(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function served(program: ServerProgram): Promise<Error | undefined> {
  const giveUpAtMs = Date.now() + bootTimeoutMs;
  while (Date.now() < giveUpAtMs) {
    if (await serves(program)) return undefined;
    await delay(probeIntervalMs);
  }
  return new Error(`${program.name} on port ${program.port} did not answer within ${bootTimeoutMs} ms`);
}

async function serves({ port, question, answers }: ServerProgram): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write(question);
    const [reply] = await once(socket, 'data');
    return answers(String(reply));
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
