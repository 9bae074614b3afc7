import net from 'node:net';

import { highestPort } from './command_line.mjs';

export const settings = { upstream: { highest: highestPort } };

export function create({ upstream: port }) {
  // Half-open: the end of one direction is no end of the other.
  return net.createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = net.connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
}
