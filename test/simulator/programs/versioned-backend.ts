/** A backend that names its version in each answer. It does not boot as the version BROKEN_VERSION, and GET /crash ends it. */
import { createServer } from 'node:http';

const { BACKEND_VERSION: version = '', BROKEN_VERSION: broken, PORT, HOST } = process.env;
if (version === broken) throw new Error(`version ${version} is broken`);
const server = createServer(({ url }, response) => {
  if (url === '/crash') process.exit(7);
  if (process.env.SILENT === undefined) response.setHeader('holdfast-version', version);
  response.end('{}');
});
server.listen(Number(PORT), HOST);
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
