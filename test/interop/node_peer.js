// One side of an exchange, on Node's own net: sends and receives at the same time, minds the backpressure of its peer,
// pauses now and then to make some itself, and says at the end what went through.
//   node node_peer.js listen  <host> <bytes>
//   node node_peer.js connect <host> <port> <bytes>      <port> may be the path of a Unix-domain socket
'use strict';
const crypto = require('node:crypto');
const net = require('node:net');

const pauseInterval = 4 * 1024 * 1024; // [bytes]
const pauseTime = 2; // [ms]

// [bytes] in turn. Node's write() returns true for all that the kernel takes at once; it never takes the large ones.
const pieceSizes = [64 * 1024, 8 * 1024 * 1024, 1000];

// FNV-1a with 64 bits, in two halves: BigInt would be too slow.
class Fnv {
  high = 0xcbf29ce4;
  low = 0x84222325;

  add(bytes) {
    let { high, low } = this;
    for (let i = 0; i < bytes.length; ++i) {
      low = (low ^ bytes[i]) >>> 0;
      const product = low * 0x1b3;
      high = (Math.imul(high, 0x1b3) + (low << 8) + Math.floor(product / 0x100000000)) >>> 0;
      low = product >>> 0;
    }
    this.high = high;
    this.low = low;
  }

  toString() {
    return this.high.toString(16).padStart(8, '0') + this.low.toString(16).padStart(8, '0');
  }
}

function send(socket, total) {
  const largest = Math.max(...pieceSizes);
  const pattern = crypto.randomBytes(largest + 1024 * 1024);
  const hash = new Fnv();
  let sent = 0;
  let pieces = 0;
  let drains = 0;
  const writeMore = () => {
    for (let room = true; room; ) {
      if (sent === total) return void socket.end();
      const start = (sent * 31) % (pattern.length - largest);
      const size = Math.min(pieceSizes[pieces++ % pieceSizes.length], total - sent);
      const piece = pattern.subarray(start, start + size);
      hash.add(piece);
      sent += piece.length;
      room = socket.write(piece);
    }
  };
  socket.on('drain', () => {
    ++drains;
    writeMore();
  });
  socket.on('finish', () => console.log(`sent ${sent} ${hash} after drains ${drains}`));
  writeMore();
}

function receive(socket) {
  const hash = new Fnv();
  let received = 0;
  let pauses = 0;
  socket.on('data', (bytes) => {
    hash.add(bytes);
    received += bytes.length;
    if (received < pauseInterval * (pauses + 1)) return;
    ++pauses;
    socket.pause();
    setTimeout(() => socket.resume(), pauseTime);
  });
  socket.on('end', () => console.log(`received ${received} ${hash} after pauses ${pauses}`));
}

function exchange(socket, total) {
  socket.on('error', (error) => {
    console.log(`failed ${error.message}`);
    process.exitCode = 1;
  });
  socket.on('close', (hadError) => console.log(`closed ${hadError}`));
  receive(socket);
  send(socket, total);
}

const [mode, host, where, bytes] = process.argv.slice(2);
if (mode === 'listen') {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    server.close();
    exchange(socket, Number(where));
  });
  const address = host.startsWith('/') ? { path: host } : { host, port: 0 };
  server.listen(address, () => console.log(`listening on ${server.address().port ?? server.address()}`));
} else {
  const address = where.startsWith('/') ? { path: where } : { host, port: Number(where) };
  const socket = net.connect({ ...address, allowHalfOpen: true }, () => exchange(socket, Number(bytes)));
}
