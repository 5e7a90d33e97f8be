# SPDX-License-Identifier: MIT
"""What programs do with connections, for tests/fleet/quiet.sh: each call is one kind of them.

  serve PORT             accepts, and keeps what it has accepted, unread
  answer PORT            accepts, and closes each connection when its peer has
  resets PORT            accepts, and ends each connection with a reset
  serve-idle PORT S      accepts, and closes each connection after S seconds, as keep-alive does
  pool HOST PORT N       N connections that nobody uses or closes
  streams PORT           accepts; sends to each connection for ever, whatever its peer has shut down
  half-closed HOST PORT N   N connections to streams, their sending side shut down, and read
  ends HOST PORT N       N connections a second, each closed here first: TIME_WAIT
  waits HOST PORT N      N connections one after the other to one that does not accept
  listen PORT BACKLOG    listens, and never accepts
  gives-up HOST PORT N   N connections that are closed at once
  unread HOST PORT N     N connections that have sent what their peers do not read, and are shut down
  leak HOST PORT N       N more connections a second that are kept when the peer closes or resets them
  stuck HOST PORT N      N connections whose sending side is shut down, and whose peers keep theirs

Each runs until it is killed, and prints "ready" when it is.
"""
import selectors
import socket
import struct
import sys
import time


def listening(port, backlog=4096):
    return socket.create_server(("", int(port)), backlog=int(backlog))


def connect(host, port):
    return socket.create_connection((host, int(port)))


def ready():
    print("ready", flush=True)


def for_ever():
    while True:
        time.sleep(3600)


def serve(port):
    listener = listening(port)
    ready()
    kept = []
    while True:
        kept.append(listener.accept()[0])


def answer(port):
    selector = selectors.DefaultSelector()
    listener = listening(port)
    selector.register(listener, selectors.EVENT_READ)
    ready()
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
            elif not key.fileobj.recv(65536):
                selector.unregister(key.fileobj)
                key.fileobj.close()


def resets(port):
    listener = listening(port)
    ready()
    while True:
        connection = listener.accept()[0]
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def serve_idle(port, seconds):
    listener = listening(port)
    listener.settimeout(0.1)
    ready()
    kept = []
    while True:
        try:
            kept.append((time.monotonic() + float(seconds), listener.accept()[0]))
        except TimeoutError:
            pass
        while kept and kept[0][0] <= time.monotonic():
            kept.pop(0)[1].close()


def pool(host, port, num):
    kept = [connect(host, port) for _ in range(int(num))]
    ready()
    for_ever()
    return kept


def streams(port):
    listener = listening(port)
    listener.settimeout(0.1)
    ready()
    kept = []
    while True:
        try:
            kept.append(listener.accept()[0])
        except TimeoutError:
            pass
        for connection in kept:
            connection.send(b"x")


def half_closed(host, port, num):
    selector = selectors.DefaultSelector()
    for _ in range(int(num)):
        connection = connect(host, port)
        connection.shutdown(socket.SHUT_WR)
        selector.register(connection, selectors.EVENT_READ)
    ready()
    while True:
        for key, _ in selector.select():
            key.fileobj.recv(65536)


def each_second(num):
    """Yields so often, evenly; what came late is made up for."""
    start, made = time.monotonic(), 0
    while True:
        while made < (time.monotonic() - start) * float(num):
            made += 1
            yield made
        time.sleep(0.01)


def ends(host, port, num):
    ready()
    for _ in each_second(num):
        connect(host, port).close()


def waits(host, port, num):
    kept = []
    for _ in range(int(num)):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((host, int(port)))
        kept.append(connection)
    ready()
    for_ever()
    return kept


def gives_up(host, port, num):
    for _ in range(int(num)):
        connect(host, port).close()
    ready()
    for_ever()


def listen(port, backlog):
    listener = listening(port, backlog)
    ready()
    for_ever()
    return listener


def leak(host, port, num):
    kept = []
    ready()
    for _ in each_second(num):
        connection = socket.socket()
        kept.append(connection)
        try:
            connection.connect((host, int(port)))
        except ConnectionResetError:  # before connect() was back
            pass


def stuck(host, port, num):
    kept = [connect(host, port) for _ in range(int(num))]
    for connection in kept:
        connection.shutdown(socket.SHUT_WR)
    ready()
    for_ever()


def unread(host, port, num):
    kept = [connect(host, port) for _ in range(int(num))]
    for connection in kept:
        connection.setblocking(False)
        # A peer's window opens once more at the start.
        for _ in range(20):
            try:
                while True:
                    connection.send(bytes(65536))
            except BlockingIOError:
                time.sleep(0.01)
        connection.shutdown(socket.SHUT_WR)
    ready()
    for_ever()


kinds = (serve, answer, resets, serve_idle, pool, streams, half_closed, ends, waits, gives_up, listen, leak, stuck, unread)
{kind.__name__.replace("_", "-"): kind for kind in kinds}[sys.argv[1]](*sys.argv[2:])
