import net from 'node:net';

import { highestSize } from './command_line.mjs';
import { answer } from './echo.mjs';

export const settings = { size: { highest: highestSize, otherwise: 64 } };

export function create({ size }) {
  const sendInPieces = (socket, chunk) => {
    let roomLeft = true;
    for (let at = 0; at < chunk.length; at += size) roomLeft = socket.write(chunk.subarray(at, at + size));
    return roomLeft;
  };
  return net.createServer({ noDelay: true }, (socket) => answer(socket, sendInPieces));
}
