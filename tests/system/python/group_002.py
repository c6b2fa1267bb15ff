"""A group server of dialect 002, written from its table in PROTOCOL.md.

group_002.py REGISTRY NAME: takes a free port, registers once, never renews, and prints
{"address": "IP:PORT", "registered": TEXT}. Ends when standard input does.
"""

import json
import sys
import threading
from datetime import datetime

import zmq


def register(context, registry, name, address):
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, 5000)
    socket.connect("tcp://" + registry)
    socket.send_string(json.dumps({"action": "register", "group_name": name, "ip_port": address}))
    reply = socket.recv_string()
    socket.close()
    return reply


class Group:
    def __init__(self):
        self.members = set()
        self.messages = []

    def answer(self, request):
        action, user = request["action"], request["user_uuid"]
        if action == "joinGroup":
            self.members.add(user)
            return {"response": "SUCCESS"}
        if user not in self.members:
            return {"response": "FAILED"}
        if action == "leaveGroup":
            self.members.discard(user)
            return {"response": "SUCCESS"}
        if action == "sendMessage":
            stamp = datetime.now().isoformat()
            message = {"user_uuid": user, "message": request["message"], "timestamp": stamp}
            self.messages.append(message)
            return {"response": "SUCCESS"}
        if action == "getMessage":
            since = request.get("timestamp") or ""
            found = [m for m in self.messages if m["timestamp"] >= since]
            return {"response": "SUCCESS", "messages": found}
        return {"response": "FAILED"}


def main():
    registry, name = sys.argv[1:]
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 0)
    address = "127.0.0.1:%d" % socket.bind_to_random_port("tcp://127.0.0.1")
    reply = register(context, registry, name, address)
    print(json.dumps({"address": address, "registered": reply}), flush=True)

    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    group = Group()
    while not done.is_set():
        if not socket.poll(50):
            continue
        peer, empty, body = socket.recv_multipart()
        answer = group.answer(json.loads(body))
        socket.send_multipart([peer, empty, json.dumps(answer).encode("utf-8")])
    socket.close()
    context.term()


main()
