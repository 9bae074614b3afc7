import net from 'node:net';

import { longestIdle } from './command_line.mjs';
import { answer, sendBack } from './echo.mjs';

export const settings = { idle: { highest: longestIdle, otherwise: 30000 } };

export function create({ idle }) {
  return net.createServer({ noDelay: true }, (socket) => {
    socket.setTimeout(idle, () => socket.destroy());
    answer(socket, sendBack);
  });
}
