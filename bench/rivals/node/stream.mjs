import net from 'node:net';

import { highestSize } from './command_line.mjs';

export const settings = { block: { highest: highestSize, otherwise: 65536 } };

function sendUntilFull(socket, block) {
  let roomLeft = socket.writable;
  while (roomLeft) roomLeft = socket.write(block);
}

export function create({ block: size }) {
  const block = Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251).buffer);
  return net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.resume();
    // What the kernel takes at once drains before the loop turns: a fast reader would starve all others without a turn.
    socket.on('drain', () => setImmediate(sendUntilFull, socket, block));
    sendUntilFull(socket, block);
  });
}
