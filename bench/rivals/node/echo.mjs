import net from 'node:net';

export const settings = {};

export function create() {
  return net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {}); // a reset; the socket is destroyed already
    socket.pipe(socket);
  });
}
