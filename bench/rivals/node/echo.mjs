import net from 'node:net';

export const settings = {};

// Hands each chunk to `send(socket, chunk)`; reads no further while what that wrote waits. It needs less memory than pipe().
export function answer(socket, send) {
  socket.on('error', () => {}); // a reset; the socket is destroyed already
  socket.on('data', (chunk) => {
    if (!send(socket, chunk)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
}

export function sendBack(socket, chunk) {
  return socket.write(chunk);
}

export function create() {
  return net.createServer({ noDelay: true }, (socket) => answer(socket, sendBack));
}
