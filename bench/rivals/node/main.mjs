// The rival written with Node's net: one module a server.
//   node main.mjs SERVER [NAME=VALUE]...
//   node main.mjs --version
import { UsageError, readSettings } from './command_line.mjs';
import * as echo from './echo.mjs';
import * as fan_out from './fan_out.mjs';
import * as pieces from './pieces.mjs';
import * as relay from './relay.mjs';
import * as stream from './stream.mjs';
import * as timeouts from './timeouts.mjs';

const servers = { echo, pieces, timeouts, stream, fan_out, relay };
const backlog = 4096;

function chooseServer(name) {
  if (name === undefined) throw new UsageError('usage: main.mjs SERVER [NAME=VALUE]... | --version');
  if (Object.hasOwn(servers, name)) return servers[name];
  throw new UsageError(`'${name}' is no server; it must be one of ${Object.keys(servers).join(', ')}`);
}

function complain(error, status) {
  console.error(`bench-node: ${error.message}`);
  process.exit(status);
}

function run([name, ...settings]) {
  if (name === '--version') {
    console.log(`node ${process.versions.node}`);
    return;
  }
  const chosen = chooseServer(name);
  const server = chosen.create(readSettings(chosen.settings, settings));
  server.on('error', (error) => complain(error, 1));
  server.listen({ host: '127.0.0.1', port: 0, backlog }, () => {
    console.log(`listening on 127.0.0.1:${server.address().port}`);
  });
}

try {
  run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  complain(error, 2);
}
