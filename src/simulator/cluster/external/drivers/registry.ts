import type { MemberDriver } from '../driver.js';
import { docker } from './docker.js';
import { kubectl } from './kubectl.js';
import { podman } from './podman.js';
import { systemd } from './systemd.js';

/** Every driver that `system.members.driver` can name. A new one is one file and one line here. */
export const drivers: Readonly<Record<string, MemberDriver>> = { docker, podman, kubectl, systemd };
