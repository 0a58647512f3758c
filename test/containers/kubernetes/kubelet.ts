import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { answersOk } from '#src/simulator/cluster/probe.js';
import type { ObjectStore } from './object-store.js';
import type { Pod } from './objects.js';

/** A Node program that reads HOST and PORT, and answers at /health. */
export type Images = Readonly<
  Record<string, { readonly program: string; readonly env?: Readonly<Record<string, string>> }>
>;

export const podPort = 8080;
const probeEveryMs = 100;
const probeWithinMs = 1_000;
/** As many probes must fail before the pod is not ready, as `failureThreshold` says. */
const failuresMax = 3;
/** The kubelet grants at least this. */
const graceSecondsMin = 2;

/** Runs one real process for each pod, each on a loopback address of its own. */
export class Kubelet {
  readonly #store: ObjectStore;
  readonly #images: Images;
  readonly #pods = new Map<string, PodProcess>();
  readonly #network: number;
  #lastAddress = 0;

  /** `network` has 16 bits. Each cluster of this machine needs another one. */
  constructor(store: ObjectStore, images: Images, network: number) {
    this.#store = store;
    this.#images = images;
    this.#network = network;
    store.watch(store.version, ({ type, resource, object }) => {
      if (resource !== 'pods') return;
      const pod = object as Pod;
      if (type === 'ADDED') this.#run(pod);
      // A forced deletion removes the object at once. Its process still has the whole time (kubernetes#120449).
      else if (type === 'DELETED') void this.#pods.get(pod.metadata.uid)?.end(graceSecondsOf(pod));
      else if (pod.metadata.deletionTimestamp !== undefined) this.#terminate(pod);
    });
  }

  /** Returns the process of a pod, so that a test can strike it without the API. */
  pidOf(name: string): number | undefined {
    const pod = this.#store.get('pods', name);
    return pod && this.#pods.get(pod.metadata.uid)?.pid;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#pods.values()].map(pod => pod.end(0)));
  }

  #run({ metadata: { uid, name } }: Pod): void {
    this.#lastAddress += 1;
    const address = `127.${this.#network >> 8}.${this.#network & 255}.${this.#lastAddress}`;
    const pod = this.#store.get('pods', name);
    const container = pod?.spec.containers[0];
    const image = container && this.#images[container.image];
    // A pod without an image stays pending, as in a real cluster: ImagePullBackOff.
    if (pod === undefined || container === undefined || image === undefined) return;
    const given = container.env?.map(({ name: variable, value }) => [variable, value ?? name] as const) ?? [];
    const env = { ...image.env, ...Object.fromEntries(given), HOST: address, PORT: String(podPort), HOSTNAME: name };
    const process = new PodProcess(image.program, env, (ready, restarts) =>
      this.#report(name, uid, address, ready, restarts),
    );
    this.#pods.set(uid, process);
    void process.ended.then(() => this.#pods.delete(uid));
  }

  #report(name: string, uid: string, podIP: string, isProbed: boolean, restartCount: number): void {
    const pod = this.#store.get('pods', name);
    const [container] = pod?.spec.containers ?? [];
    if (pod === undefined || container === undefined || pod.metadata.uid !== uid) return;
    const containerStatuses = [{ name: container.name, image: container.image, ready: isProbed, restartCount }];
    const conditions = ['Ready', 'ContainersReady'].map(
      type => ({ type, status: isProbed ? 'True' : 'False' }) as const,
    );
    this.#store.update('pods', { ...pod, status: { phase: 'Running', podIP, conditions, containerStatuses } });
  }

  #terminate(pod: Pod): void {
    const { uid, name, deletionGracePeriodSeconds: graceSeconds = graceSecondsOf(pod) } = pod.metadata;
    if (graceSeconds === 0) return;
    const process = this.#pods.get(uid);
    const sleepSeconds = pod.spec.containers[0]?.lifecycle?.preStop.sleep.seconds ?? 0;
    const ended = process?.end(Math.max(graceSecondsMin, graceSeconds), sleepSeconds);
    void Promise.resolve(ended).then(() => {
      if (this.#store.get('pods', name)?.metadata.uid === uid) this.#store.remove('pods', name);
    });
  }
}

function graceSecondsOf({ spec: { terminationGracePeriodSeconds = 30 } }: Pod): number {
  return terminationGracePeriodSeconds;
}

/** The container of one pod. When it ends by itself, it is started again, as with `restartPolicy: Always`. */
class PodProcess {
  readonly ended: Promise<void>;
  #child: ChildProcess | undefined;
  #isEnding = false;
  #restarts = 0;
  readonly #watching = new AbortController();

  constructor(
    program: string,
    env: Readonly<Record<string, string>>,
    onProbe: (isReady: boolean, restarts: number) => void,
  ) {
    const address = `http://${env.HOST}:${env.PORT}/health`;
    this.ended = this.#keepRunning(program, { PATH: process.env.PATH ?? '', ...env });
    void this.#probe(address, onProbe);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Asks it to end after the sleep of `preStop`, and kills it after the grace period. Resolves when it is gone. */
  async end(graceSeconds: number, sleepSeconds = 0): Promise<void> {
    if (graceSeconds === 0) this.#child?.kill('SIGKILL');
    if (!this.#isEnding) {
      this.#isEnding = true;
      const timers = [
        setTimeout(() => this.#child?.kill('SIGTERM'), sleepSeconds * 1_000),
        setTimeout(() => this.#child?.kill('SIGKILL'), graceSeconds * 1_000),
      ];
      void this.ended.then(() => timers.forEach(clearTimeout));
    }
    await this.ended;
  }

  async #keepRunning(program: string, env: Readonly<Record<string, string>>): Promise<void> {
    const killAtExit = () => void this.#child?.kill('SIGKILL');
    process.once('exit', killAtExit);
    for (; !this.#isEnding; this.#restarts += 1) {
      const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'ignore', 'inherit'] });
      this.#child = child;
      await new Promise<void>(resolve => {
        child.once('error', () => resolve());
        child.once('exit', () => resolve());
      });
      this.#child = undefined;
      if (!this.#isEnding) await sleep(probeEveryMs);
    }
    this.#watching.abort();
    process.off('exit', killAtExit);
  }

  async #probe(address: string, onProbe: (isReady: boolean, restarts: number) => void): Promise<void> {
    let failures = failuresMax;
    while (!this.#watching.signal.aborted) {
      const isAnswered = this.#child !== undefined && (await answersOk(address, probeWithinMs));
      failures = isAnswered ? 0 : failures + 1;
      if (!this.#watching.signal.aborted) onProbe(failures < failuresMax, this.#restarts);
      await sleep(probeEveryMs);
    }
  }
}
