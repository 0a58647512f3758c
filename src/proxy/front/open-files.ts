import { readdirSync, readFileSync } from 'node:fs';

/** The division of the file descriptors of one process. */
export interface DescriptorPlan {
  /** Connections of clients. Any more are closed at once, so that the others are still served. */
  readonly clients: number;
  /** Connections to the admin API. */
  readonly admin: number;
  readonly filesMax: number;
}

/** Limits memory in a flood of connections. */
const clientsMax = 65_536;
const adminMax = 64;
const adminMin = 8;
/** Health checks, the access log, the modules that are loaded late, and connections that are being turned away. */
const spare = 12;
/** Each client may need a connection to a backend. More are hardly ever in use at the same moment. */
const backendsMax = 4096;

/**
 * Divides the descriptors of a process. `filesMax` is its limit of open files, `openNow` the number that it has open
 * already. Clients are refused first: a backend, the log and the admin API can be reached while the port is flooded.
 */
export function planDescriptors(filesMax: number, openNow: number): DescriptorPlan {
  const admin = Math.max(adminMin, Math.min(adminMax, Math.floor(filesMax / 8)));
  const free = filesMax - openNow - spare - admin;
  const forBackends = Math.min(backendsMax, Math.floor(free / 2));
  const clients = Math.max(1, Math.min(clientsMax, free - forBackends));
  return { clients, admin, filesMax };
}

let plan: DescriptorPlan | undefined;

/** Returns the plan for this process. The limit is read once. Without `/proc` only the limits of memory hold. */
export function ownDescriptorPlan(): DescriptorPlan {
  plan ??= readPlan();
  return plan;
}

function readPlan(): DescriptorPlan {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const filesMax = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
    return planDescriptors(filesMax, readdirSync('/proc/self/fd').length);
  } catch {
    return planDescriptors(Number.POSITIVE_INFINITY, 0);
  }
}
