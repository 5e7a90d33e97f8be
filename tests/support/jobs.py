#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A container for each job: jobs.py DIRECTORY JOBS STEP KEEP makes DIRECTORY, and JOBS control groups
in it one after the other, each with a listener. The last KEEP are there at a time. After each STEP of
them it prints how many it has made, and waits for a line."""

import os
import socket
import sys

top, jobs, step, keep = sys.argv[1], *map(int, sys.argv[2:])
os.mkdir(top)
kept = []
for i in range(jobs):
    directory = f"{top}/{i}"
    os.mkdir(directory)
    with open(directory + "/cgroup.procs", "w", encoding="ascii") as file:
        file.write("0")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    kept.append((listener, directory))
    if len(kept) > keep:
        listener, directory = kept.pop(0)
        listener.close()
        os.rmdir(directory)
    if (i + 1) % step == 0:
        print(i + 1, flush=True)
        sys.stdin.readline()
