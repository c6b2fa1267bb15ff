"""Sockets of libzmq that mean harm: attacker.py HOST:PORT ROUNDS. Says how often it did each."""

import os
import sys
import zmq

address, rounds = sys.argv[1], int(sys.argv[2])
context = zmq.Context()
context.set(zmq.MAX_SOCKETS, 4096)


def socket(kind, **options):
    one = context.socket(kind)
    one.linger = 0
    for name, value in options.items():
        setattr(one, name, value)
    one.connect(f"tcp://{address}")
    return one


def send(one, frames):
    try:
        one.send_multipart(frames, zmq.NOBLOCK)
    except zmq.ZMQError:
        pass


def wait(one, ms=50):
    if one.poll(ms):
        one.recv_multipart(zmq.NOBLOCK)


def kinds(n):
    for kind in (zmq.PUSH, zmq.PULL, zmq.PAIR, zmq.SUB, zmq.XSUB, zmq.XPUB, zmq.PUB, zmq.REP):
        one = socket(kind)
        if kind in (zmq.PUSH, zmq.PAIR, zmq.PUB):
            send(one, [b"zg2", b"x"])
        if kind == zmq.SUB:
            one.subscribe(b"x" * 1000)
        yield one


def frames(n):
    one = socket(zmq.DEALER)
    for many in ([b""], [b"zg2"], [b"zg2"] * 9, [b""] * 20000, [b"zg2", b"x" * 2_000_000]):
        send(one, many)
    wait(one)
    yield one


def requests(n):
    one = socket(zmq.REQ, req_relaxed=1)
    for text in (b"{}", b"[" * 5000, b'{"action":"joinGroup"}', b"\xff\xfe"):
        send(one, [text])
        wait(one)
    yield one


def curve(n):
    public, secret = zmq.curve_keypair()
    yield socket(zmq.DEALER, curve_serverkey=public, curve_publickey=public, curve_secretkey=secret)


def plain(n):
    yield socket(zmq.DEALER, plain_username=b"x", plain_password=b"y")


def heartbeats(n):
    yield socket(zmq.DEALER, heartbeat_ivl=1, heartbeat_timeout=1000, heartbeat_ttl=100)


def identities(n):
    for identity in (b"x", b"\x01" * 255, os.urandom(5)):
        one = socket(zmq.DEALER, identity=identity)
        send(one, [b"zg2", b"\x01" + b"\x00" * 32])
        send(one, [b"zg2", b"\x03" + b"\x00" * 32])
        yield one


done = {}
for attack in (kinds, frames, requests, curve, plain, heartbeats, identities):
    for n in range(rounds):
        held = list(attack(n))
        done[attack.__name__] = done.get(attack.__name__, 0) + len(held)
        if n % 10 == 9:
            held[0].poll(20)
        for one in held:
            one.close()
print("DONE " + " ".join(f"{name}={count}" for name, count in done.items()), flush=True)
os._exit(0)
