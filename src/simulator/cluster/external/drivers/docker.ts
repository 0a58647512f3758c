import { containerCommands } from '../container-commands.js';
import type { MemberDriver } from '../driver.js';

export const docker: MemberDriver = {
  summary: 'containers of Docker: `docker kill`, `pause`, `unpause`, `stop`, `start`',
  selects: 'a label of the containers: `app=shop`, or `com.docker.compose.service=web`',
  program: 'docker',
  ...containerCommands('docker', '{{.Label "com.docker.compose.service"}}'),
};
