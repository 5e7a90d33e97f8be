#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fills the network namespace that it runs in with connections that nobody has
accepted: no process has a descriptor of them, and they last until the end of
standard input. Their peers vanish without a word (TCP_REPAIR, tcp(7)).

usage: queued_sockets.py NUMBER

Prints `ready' when all are there. Needs lo to be up, and CAP_NET_ADMIN. Ends
with 1 and a traceback if they cannot be made.
"""
import socket
import sys

PORT = 700
PER_ADDRESS = 60000  # an address has this many ports for its connections
TCP_REPAIR = 19  # linux/tcp.h


def main():
    with open("/proc/sys/net/core/somaxconn", "w", encoding="ascii") as limit:
        limit.write(str(2**31 - 1))
    listener = socket.socket()
    listener.bind(("127.0.0.1", PORT))
    listener.listen(2**31 - 1)
    for i in range(int(sys.argv[1])):
        with socket.socket() as peer:
            peer.bind((f"127.1.1.{i // PER_ADDRESS}", 2000 + i % PER_ADDRESS))
            peer.connect(("127.0.0.1", PORT))
            peer.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    print("ready", flush=True)
    sys.stdin.read()


main()
