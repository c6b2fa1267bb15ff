"""A peer of another program, by python3-zmq: zmtp_peer.py TYPE [ADDRESS]

DEALER, REQ and ROUTER connect to ADDRESS, exchange messages with the echo there, and say "done".
REP and ROUTER without an address bind a free port, say which, and echo until their input ends.
"""

import sys
import zmq

context = zmq.Context()


def open_socket(name):
    socket = context.socket(getattr(zmq, name))
    socket.linger = 0
    socket.rcvtimeo = socket.sndtimeo = 5000
    socket.setsockopt(zmq.HEARTBEAT_IVL, 50)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 2000)
    return socket


def ask(name, address):
    socket = open_socket(name)
    head = []
    if name == "ROUTER":
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.CONNECT_ROUTING_ID, b"server")
        head = [b"server"]
    socket.connect("tcp://" + address)
    bodies = [[b"zg2", b"x" * size] for size in (0, 1, 253, 254, 255, 256, 70_000, 1_000_000)]
    for body in bodies + [[b"zg2", b"%d" % n] for n in range(200)]:
        message = head + body
        while True:
            try:
                socket.send_multipart(message)
                break
            except zmq.ZMQError as error:  # a ROUTER has no such peer before the handshake
                if error.errno != zmq.EHOSTUNREACH:
                    raise
        assert socket.recv_multipart() == message, "another answer"
    if name != "REQ":  # many under way
        for n in range(2000):
            socket.send_multipart(head + [b"%d" % n])
        for n in range(2000):
            assert socket.recv_multipart() == head + [b"%d" % n], "out of order"
    print("done", flush=True)
    socket.close()


def echo(name):
    socket = open_socket(name)
    socket.rcvtimeo = 100
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    print("127.0.0.1:%d" % port, flush=True)
    ends = zmq.Poller()
    ends.register(sys.stdin, zmq.POLLIN)
    ends.register(socket, zmq.POLLIN)
    while True:
        for one, _ in ends.poll():
            if one is not socket:
                return socket.close()
            socket.send_multipart(socket.recv_multipart())


if len(sys.argv) > 2:
    ask(sys.argv[1], sys.argv[2])
else:
    echo(sys.argv[1])
context.term()
