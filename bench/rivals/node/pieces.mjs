import net from 'node:net';

import { highestSize } from './command_line.mjs';

export const settings = { size: { highest: highestSize, otherwise: 64 } };

function writeInPieces(socket, chunk, size) {
  let roomLeft = true;
  for (let at = 0; at < chunk.length; at += size) roomLeft = socket.write(chunk.subarray(at, at + size));
  return roomLeft;
}

export function create({ size }) {
  return net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      if (!writeInPieces(socket, chunk, size)) socket.pause();
    });
    socket.on('drain', () => socket.resume());
  });
}
