import net from 'node:net';

import { highestSize } from './command_line.mjs';

export const settings = { size: { highest: highestSize, otherwise: 1024 } };

// Cuts what comes in chunks into messages of one size; those that one chunk holds whole are not copied.
class MessageCutter {
  #begun = null; // the begin of a message whose end has not come
  #filled = 0;

  constructor(size) {
    this.size = size;
  }

  *cut(chunk) {
    let at = 0;
    if (this.#begun) {
      at = this.#fill(chunk);
      if (this.#filled < this.size) return;
      yield this.#begun;
      this.#begun = null;
    }
    for (; chunk.length - at >= this.size; at += this.size) yield chunk.subarray(at, at + this.size);
    if (at < chunk.length) this.#begin(chunk.subarray(at));
  }

  #begin(bytes) {
    this.#begun = Buffer.allocUnsafeSlow(this.size);
    this.#filled = 0;
    this.#fill(bytes);
  }

  #fill(bytes) {
    const taken = bytes.copy(this.#begun, this.#filled);
    this.#filled += taken;
    return taken;
  }
}

// All open connections. While one of them has not taken what it was sent, nobody is read: what waits is one chunk a sender.
class Group {
  #members = new Set();
  #full = new Set();
  #paused = new Set();

  join(socket) {
    this.#members.add(socket);
    socket.on('drain', () => this.#drained(socket));
    socket.on('end', () => this.#members.delete(socket));
    socket.on('close', () => {
      this.#members.delete(socket);
      this.#paused.delete(socket);
      this.#drained(socket);
    });
  }

  send(message) {
    for (const member of this.#members) {
      if (!member.write(message)) this.#full.add(member);
    }
  }

  holdBack(sender) {
    if (this.#full.size === 0) return;
    this.#paused.add(sender);
    sender.pause();
  }

  #drained(socket) {
    if (!this.#full.delete(socket) || this.#full.size > 0) return;
    for (const sender of this.#paused) sender.resume();
    this.#paused.clear();
  }
}

export function create({ size }) {
  const group = new Group();
  return net.createServer({ noDelay: true }, (socket) => {
    const cutter = new MessageCutter(size);
    group.join(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const message of cutter.cut(chunk)) group.send(message);
      group.holdBack(socket);
    });
  });
}
