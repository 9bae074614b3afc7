#!/usr/bin/env python3
"""Checks that every rival of the benchmarks does what bench/README.md says of its servers.

    rivals_check.py FOLDER [RIVAL]... [-- ARGUMENT OF UNITTEST...]    such as  rivals_check.py build/release/bin libuv -- -v

FOLDER holds the programs. A rival that is not there is skipped, which the summary says; status 77 if all are.
"""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

from peers import (LIMIT, MEBIBYTE, Background, Upstream, connect, end, fill, is_closed_by_peer, read_exactly,
                   read_side_by_side, read_to_end, reset, sending)

NODE = pathlib.Path(__file__).resolve().parent.parent.parent / "bench/rivals/node/main.mjs"
SKIPPED = 77  # the status that tells ctest that nothing was checked
ECHOES = {"echo": [], "pieces": ["size=4096"], "timeouts": []}  # the servers that send back what they receive
WRONG = "bytes got lost or changed"
UNBOUNDED = "a peer that does not read must hold back who sends"


def rivals(folder):
    """Name -> (program and what comes before the server's name, settings that each server gets)."""
    names = ("bare", "asio-callbacks", "asio-awaitables", "beast", "libuv", "go", "tokio")
    known = {name: ([f"{folder}/bench-{name}"], []) for name in names}
    known["node"] = (["node", str(NODE)], [])
    for style in ("events", "await"):
        for reactor, row in (("epoll", ""), ("portable", "-portable")):
            known[f"libnet-{style}{row}"] = ([f"{folder}/bench-libnet"], [f"style={style}", f"reactor={reactor}"])
    return known


class Server:
    """A server of one rival, for the time of a `with`."""

    def __init__(self, command):
        outlives_nobody = ["setpriv", "--pdeathsig", "TERM"]  # a check that is killed must not leave servers behind
        self.process = subprocess.Popen([*outlives_nobody, *command], stdout=subprocess.PIPE, text=True)
        self.first_line = self.process.stdout.readline().rstrip("\n")
        self.port = int(self.first_line.rpartition(":")[2] or 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def connect(self):
        return connect(self.port)

    def resident(self):
        """Its memory [bytes]."""
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")


class RivalCase:
    """What the checks of one rival share; main() makes the subclasses that say which rival."""

    program = []
    always = []

    @contextlib.contextmanager
    def serve(self, *arguments):
        with Server([*self.program, *arguments, *self.always]) as server:
            self.assertRegex(server.first_line, r"^listening on 127\.0\.0\.1:\d+$")
            yield server
            self.assertIsNone(server.process.poll(), "the server ended by itself")

    @contextlib.contextmanager
    def clients(self, server, count):
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(server.connect()) for _ in range(count)]

    def run_to_end(self, *arguments):
        return subprocess.run([*self.program, *arguments], capture_output=True, text=True, timeout=10, check=False)

    def assert_same(self, received, sent):
        self.assertTrue(received == sent, WRONG)  # assertEqual would print megabytes

    def check_echo(self, server, size):
        sent = random.randbytes(size)
        with server.connect() as client, sending(client, sent, then=end):
            self.assert_same(read_to_end(client), sent)

    def check_flow(self, sender, receiver):
        """Sends while the receiver does not read, then lets it read."""
        sent = fill(sender)
        self.assertLess(len(sent), LIMIT, UNBOUNDED)
        self.assert_same(read_exactly(receiver, len(sent)), sent)

    def check_reset(self, server, message):
        """Resets clients, one of them while the server has bytes for it, and looks whether others are still served."""
        reset(server.connect())
        client = server.connect()
        fill(client)
        reset(client)
        with server.connect() as client:
            client.sendall(message)
            self.assertEqual(len(read_exactly(client, len(message))), len(message))


class CommandLineChecks(RivalCase):
    def test_version_is_one_line(self):
        ended = self.run_to_end("--version")
        self.assertEqual(ended.returncode, 0)
        self.assertRegex(ended.stdout, r"^[^\n]*\d[^\n]*\n$")

    def test_wrong_arguments_give_one_line_and_status_2(self):
        wrong = ("", "nonsense", "echo size=1", "pieces size=0", "pieces size=6x", "pieces size=-1", "pieces size=",
                 "pieces size", "pieces size=1 size=1", "relay", "relay upstream=65536")
        for arguments in wrong:
            with self.subTest(arguments=arguments):
                ended = self.run_to_end(*arguments.split())
                self.assertEqual(ended.returncode, 2)
                self.assertEqual(ended.stdout, "")
                self.assertRegex(ended.stderr, r"^[^\n]+\n$")

    def test_sigterm_and_sigint_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number), Server([*self.program, "echo", *self.always]) as server, server.connect():
                server.process.send_signal(number)
                self.assertIn(server.process.wait(10), (0, -number, 128 + number))


class EchoChecks(RivalCase):
    def test_echo_sends_back_what_it_gets(self):
        with self.serve("echo") as server:
            self.check_echo(server, 8 * MEBIBYTE)

    def test_echo_serves_many_at_a_time(self):
        with self.serve("echo") as server, self.clients(server, 200) as clients:
            for number, client in enumerate(clients):
                client.sendall(b"%04d" % number)
            for number, client in enumerate(clients):
                self.assertEqual(read_exactly(client, 4), b"%04d" % number)

    def test_pieces_sends_back_what_it_gets(self):
        for size in (64, 1000, MEBIBYTE):
            with self.subTest(size=size), self.serve("pieces", f"size={size}") as server:
                self.check_echo(server, MEBIBYTE)

    def test_timeouts_sends_back_what_it_gets(self):
        with self.serve("timeouts") as server:
            self.check_echo(server, MEBIBYTE)

    def test_timeouts_closes_what_is_silent_and_only_that(self):
        with self.serve("timeouts", "idle=1000") as server, self.clients(server, 2) as (silent, client):
            for _ in range(8):
                time.sleep(0.15)
                client.sendall(b"x")
                last = time.monotonic()
                self.assertEqual(read_exactly(client, 1), b"x")
            self.assertEqual(read_to_end(client), b"")
            self.assertGreater(time.monotonic() - last, 0.95)
            self.assertLess(time.monotonic() - last, 10)
            self.assertEqual(read_to_end(silent), b"")

    def test_who_does_not_read_is_held_back(self):
        for name, settings in ECHOES.items():
            with self.subTest(server=name), self.serve(name, *settings) as server, server.connect() as client:
                self.check_flow(client, client)

    def test_a_reset_is_survived(self):
        for name, settings in ECHOES.items():
            with self.subTest(server=name), self.serve(name, *settings) as server:
                self.check_reset(server, b"x")


class StreamChecks(RivalCase):
    def check_block(self, client, size, total):
        expected = bytes(i % 251 for i in range(size)) * (total // size)
        self.assert_same(read_exactly(client, len(expected)), expected)

    def test_stream_sends_its_block_again_and_again(self):
        for size in (65536, 1000):
            with self.subTest(block=size), self.serve("stream", f"block={size}") as server, server.connect() as client:
                client.sendall(b"ignored")
                self.check_block(client, size, 4 * MEBIBYTE)

    def test_stream_waits_for_who_does_not_read(self):
        with self.serve("stream") as server, server.connect() as client:
            read_exactly(client, 4 * MEBIBYTE)
            before = server.resident()
            time.sleep(0.5)
            self.assertLess(server.resident() - before, 16 * MEBIBYTE, "what waits must not grow")
            self.check_block(client, 65536, 32 * MEBIBYTE)

    def test_stream_serves_others_beside_who_reads_fast(self):
        with self.serve("stream") as server, self.clients(server, 2) as (fast, other):
            with Background(read_exactly, fast, 64 * MEBIBYTE):
                self.check_block(other, 65536, MEBIBYTE)

    def test_stream_ends_when_the_peer_does(self):
        with self.serve("stream") as server, server.connect() as client:
            read_exactly(client, 1000)
            end(client)
            read_to_end(client)

    def test_a_reset_stream_is_survived(self):
        with self.serve("stream") as server:
            self.check_reset(server, b"x")


class FanOutChecks(RivalCase):
    @contextlib.contextmanager
    def group(self, server, count, size):
        """Connections that all are members: one that is accepted late would miss messages."""
        with contextlib.ExitStack() as stack:
            members = []
            for _ in range(count):
                members.append(stack.enter_context(server.connect()))
                members[-1].sendall(bytes(size))
                for member in members:
                    self.assertEqual(read_exactly(member, size), bytes(size))
            yield members

    def test_fan_out_sends_whole_messages_to_all(self):
        sent = random.randbytes(200_000)
        with self.serve("fan_out", "size=1000") as server, self.group(server, 20, 1000) as clients:
            with sending(clients[3], sent + b"a part of a message goes to nobody"):
                for received in read_side_by_side(clients, [len(sent)] * len(clients)):
                    self.assert_same(received, sent)
            for client in clients:
                end(client)
                self.assertEqual(read_to_end(client), b"")

    def test_fan_out_keeps_messages_of_several_senders_whole(self):
        sent = [b"".join(b"%d %7d%s" % (sender, i, b"." * 91) for i in range(2000)) for sender in range(4)]
        with self.serve("fan_out", "size=100") as server, self.group(server, 4, 100) as clients:
            with contextlib.ExitStack() as stack:
                for client, data in zip(clients, sent):
                    stack.enter_context(sending(client, data))
                for received in read_side_by_side(clients, [800_000] * 4):
                    messages = [received[at:at + 100] for at in range(0, len(received), 100)]
                    for sender, data in enumerate(sent):
                        self.assert_same(b"".join(m for m in messages if m.startswith(b"%d " % sender)), data)

    def check_slow_member(self, server, let_go):
        """Sends while another member does not read; then that one does what `let_go(member, sent)` says."""
        with self.group(server, 2, 1024) as (sender, slow):
            sent = fill(sender)
            self.assertLess(len(sent), LIMIT, UNBOUNDED)
            whole = sent[:len(sent) // 1024 * 1024]
            with Background(let_go, slow, whole):
                self.assert_same(read_exactly(sender, len(whole)), whole)
            last = bytes(1024 - len(sent) + len(whole))
            with sending(sender, last):
                self.assert_same(read_exactly(sender, 1024), sent[len(whole):] + last)

    def test_fan_out_waits_for_who_does_not_read(self):
        with self.serve("fan_out") as server:
            self.check_slow_member(server, lambda slow, sent: self.assert_same(read_exactly(slow, len(sent)), sent))

    def test_fan_out_goes_on_without_who_left(self):
        def leave(slow, sent):
            end(slow)
            self.assertTrue(sent.startswith(read_to_end(slow)), WRONG)

        with self.serve("fan_out") as server:
            self.check_slow_member(server, leave)
            self.check_slow_member(server, lambda slow, _: reset(slow))

    def test_a_reset_member_is_survived(self):
        with self.serve("fan_out") as server:
            self.check_reset(server, bytes(1024))


class RelayChecks(RivalCase):
    @contextlib.contextmanager
    def relay(self):
        """Yields what gives the two ends of another relayed connection, for the time of a `with`."""
        with Upstream().listen() as upstream, self.serve("relay", f"upstream={upstream.port}") as server:

            @contextlib.contextmanager
            def relayed():
                with server.connect() as client, upstream.accept() as peer:
                    yield client, peer

            yield relayed

    def test_relay_passes_both_directions_and_their_ends(self):
        there, back = random.randbytes(8 * MEBIBYTE), random.randbytes(8 * MEBIBYTE)
        with self.relay() as relayed, relayed() as (client, peer):
            with sending(client, there, then=end), sending(peer, back, then=end):
                received = read_side_by_side([peer, client], [len(there), len(back)])
            self.assert_same(received, [there, back])
            self.assertEqual([read_to_end(peer), read_to_end(client)], [b"", b""])

    def test_relay_passes_one_direction_after_the_end_of_the_other(self):
        with self.relay() as relayed:
            for first_to_end in (0, 1):
                with self.subTest(first_to_end=first_to_end), relayed() as sides:
                    first, second = sides[first_to_end], sides[1 - first_to_end]
                    first.sendall(b"first")
                    end(first)
                    self.assertEqual(read_to_end(second), b"first")
                    with sending(second, bytes(MEBIBYTE), then=end):
                        self.assert_same(read_to_end(first), bytes(MEBIBYTE))

    def test_relay_holds_back_who_sends_to_who_does_not_read(self):
        with self.relay() as relayed, relayed() as (client, peer):
            self.check_flow(client, peer)
            self.check_flow(peer, client)

    def test_relay_closes_a_client_whose_upstream_refuses(self):
        with Upstream() as upstream, self.serve("relay", f"upstream={upstream.port}") as server:
            with server.connect() as client:
                self.assertTrue(is_closed_by_peer(client))

    def test_relay_closes_both_when_one_resets(self):
        with self.relay() as relayed:
            for who_resets in (0, 1):
                with self.subTest(who_resets=who_resets), relayed() as sides:
                    sides[0].sendall(b"x")
                    read_exactly(sides[1], 1)
                    reset(sides[who_resets])
                    self.assertTrue(is_closed_by_peer(sides[1 - who_resets]))


CHECKS = (CommandLineChecks, EchoChecks, StreamChecks, FanOutChecks, RelayChecks, unittest.TestCase)


def make_case(name, program, always):
    case = type(name.title().replace("-", ""), CHECKS, {"program": program, "always": always, "__module__": __name__})
    if shutil.which(program[0]):
        return case
    print(f"rivals_check: SKIPPED {name}: there is no {program[0]}", file=sys.stderr)
    return unittest.skip(f"there is no {program[0]}")(case)


def choose(known, names):
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"rivals_check: no such rival: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return {name: known[name] for name in names or known}


def main():
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    folder, *names = sys.argv[1:split] or [""]
    if not os.path.isdir(folder):
        sys.exit(__doc__)
    chosen = choose(rivals(os.path.abspath(folder)), names)
    for name, (program, always) in chosen.items():
        case = make_case(name, program, always)
        globals()[case.__name__] = case
    ran = unittest.main(argv=[sys.argv[0], *sys.argv[split + 1:]], exit=False)
    if not any(shutil.which(program[0]) for program, _ in chosen.values()):
        sys.exit(SKIPPED)
    sys.exit(not ran.result.wasSuccessful())


if __name__ == "__main__":
    main()
