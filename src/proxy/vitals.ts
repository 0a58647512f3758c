/** How a process that serves is doing, as plain data that can be added up over several. */
export interface Vitals {
  cpuSeconds: number;
  /** Of its event loop: what it worked, and what it waited for work. */
  busySeconds: number;
  idleSeconds: number;
  /** Lines of the access log that were lost. */
  lostLogLines: number;
  residentBytes: number;
  /** Of clients, open now. */
  connections: number;
}

export const noVitals: Readonly<Vitals> = {
  cpuSeconds: 0,
  busySeconds: 0,
  idleSeconds: 0,
  lostLogLines: 0,
  residentBytes: 0,
  connections: 0,
};

/** Of this process. Costs some microseconds, and nothing while nobody asks: Node keeps all of it anyway. */
export function readVitals(): Omit<Vitals, 'lostLogLines' | 'connections'> {
  const { user, system } = process.cpuUsage();
  const { active, idle } = performance.eventLoopUtilization();
  return {
    cpuSeconds: (user + system) / 1e6,
    busySeconds: active / 1000,
    idleSeconds: idle / 1000,
    residentBytes: process.memoryUsage.rss(),
  };
}

/** Of a process that has ended: what it did counts on, what it had is gone. */
export function vitalsOfGone(vitals: Vitals): Vitals {
  return { ...vitals, residentBytes: 0, connections: 0 };
}
