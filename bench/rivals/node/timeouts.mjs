import net from 'node:net';

import { longestIdle } from './command_line.mjs';

export const settings = { idle: { highest: longestIdle, otherwise: 30000 } };

export function create({ idle }) {
  return net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.setTimeout(idle, () => socket.destroy());
    socket.pipe(socket);
  });
}
