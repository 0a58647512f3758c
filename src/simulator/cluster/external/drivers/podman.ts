import { containerCommands } from '../container-commands.js';
import type { MemberDriver } from '../driver.js';

export const podman: MemberDriver = {
  summary: 'containers of Podman: `podman kill`, `pause`, `unpause`, `stop`, `start`',
  selects: 'a label of the containers: `app=shop`, or `com.docker.compose.service=web`',
  program: 'podman',
  ...containerCommands('podman', '{{index .Labels "com.docker.compose.service"}}'),
};
