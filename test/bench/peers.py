"""What is on the other side of a rival's connections when it is checked: clients, and the upstream of a relay."""

import random
import select
import socket
import struct
import threading

PATIENCE = 20  # [s] without any byte
STALLED = 0.4  # [s] in which no byte is taken: the other side does not read
PIECE = 256 * 1024  # moved by one call at most [bytes]
MEBIBYTE = 1024 * 1024
LIMIT = 64 * MEBIBYTE  # more than the kernel's buffers of a connection hold


def connect(port):
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def end(client):
    client.shutdown(socket.SHUT_WR)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def read_exactly(client, size):
    received = bytearray()
    while len(received) < size:
        some = client.recv(min(size - len(received), PIECE))
        if not some:
            raise AssertionError(f"the end came after {len(received)} of {size} bytes")
        received += some
    return bytes(received)


def read_to_end(client, limit=LIMIT):
    received = bytearray()
    while some := client.recv(PIECE):
        received += some
        if len(received) > limit:
            raise AssertionError(f"no end came within {limit} bytes")
    return bytes(received)


def is_closed_by_peer(client):
    """Waits for an end or a reset; what comes before it does not matter."""
    try:
        read_to_end(client)
    except ConnectionError:
        pass
    return True


def fill(client, limit=LIMIT):
    """Sends until the other side takes no more, or the limit. Returns what was sent [bytes]."""
    data = (random.randbytes(1_000_003) * (limit // 1_000_003 + 1))[:limit]
    view = memoryview(data)
    sent = 0
    client.setblocking(False)
    while sent < limit and select.select([], [client], [], STALLED)[1]:
        sent += client.send(view[sent:sent + PIECE])
    client.settimeout(PATIENCE)
    return data[:sent]


class Background(threading.Thread):
    """Runs a function for the time of a `with`, which ends when the function has; raises what the function raised."""

    def __init__(self, function, *arguments):
        super().__init__()
        self.function, self.arguments = function, arguments
        self.result = self.error = None

    def run(self):
        try:
            self.result = self.function(*self.arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.join()
        if self.error and not kind:
            raise self.error


def sending(client, data, then=lambda client: None):
    """Sends in the background, for the time of a `with`."""

    def send():
        client.sendall(data)
        then(client)

    return Background(send)


def read_side_by_side(clients, sizes):
    """Reads from several at once, so that none holds back another."""
    readers = [Background(read_exactly, client, size) for client, size in zip(clients, sizes)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.__exit__(None)
    return [reader.result for reader in readers]


class Upstream:
    """What a relay connects to, for the time of a `with`; it refuses connections until it listens."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.settimeout(PATIENCE)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def listen(self):
        self.listener.listen()
        return self

    def accept(self):
        peer = self.listener.accept()[0]
        peer.settimeout(PATIENCE)
        return peer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
