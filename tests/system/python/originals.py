"""The group servers of the five original programs, as the first versions of them were.

originals.py 000|001|002|003|004: takes a free port, prints {"address": "IP:PORT"}, and then a line
for each request that reached it: {"got": TEXT}. Ends when standard input does, or as the originals
did: by an exception at a request that it does not understand.

000, 001, 003 and 004 are a REP socket; 002 is a ROUTER, which gets what REP would drop.
"""

import json
import sys
import threading

import zmq


class Group000:
    kind = zmq.REP

    def answer(self, body):
        text = body.decode("utf-8")
        if text.startswith("JOIN") or text.startswith("LEAVE"):
            text.split()[1]
            return "SUCCESS"
        verb, user, rest = text.split(",", 2)
        if verb not in ("GET_MESSAGES", "SEND_MESSAGE"):
            raise ValueError(verb)
        return "SUCCESS" if verb == "SEND_MESSAGE" else ""


class Group001:
    kind = zmq.REP

    def answer(self, body):
        request = json.loads(body)
        action = request["action"]
        if action == "get_messages":
            return json.dumps([]) if request["user_uuid"] else ""
        user = request["user_uuid"] if action == "add_user" else request["user_id"]
        if action not in ("add_user", "leave_group", "send_message"):
            raise ValueError(action)
        return "SUCCESS" if user else ""


class Group002:
    kind = zmq.ROUTER

    def __init__(self):
        self.members = set()

    def answer(self, body):
        request = json.loads(body)
        action, user = request["action"], request["user_uuid"]
        if action == "joinGroup":
            self.members.add(user)
        elif user not in self.members:
            return json.dumps({"response": "FAILED"})
        elif action == "getMessage":
            return json.dumps({"response": "SUCCESS", "messages": []})
        elif action not in ("leaveGroup", "sendMessage"):
            raise ValueError(action)
        return json.dumps({"response": "SUCCESS"})


class Group003:
    kind = zmq.REP

    def answer(self, body):
        request = json.loads(body)
        kind, user = request["type"], request["user_uuid"]
        if kind not in ("join", "leave", "message", "get_messages"):
            raise ValueError(kind)
        return json.dumps({"status": "SUCCESS"}) if user else ""


class Group004:
    kind = zmq.REP

    def answer(self, body):
        request = json.loads(body)
        kind, user = request["request_type"], request["user_uuid"]
        if kind == "is_user_connected":
            return json.dumps("Not Connected")
        if kind not in ("join_group", "leave_group", "send_message", "get_messages"):
            return json.dumps("INVALID REQUEST")
        return json.dumps("SUCCESS") if user else ""


def serve(group, socket):
    """One request: what a REP gets, or an envelope of ROUTER in three parts."""
    if group.kind == zmq.REP:
        body = socket.recv()
        print(json.dumps({"got": body.decode("latin-1")}), flush=True)
        return socket.send_string(group.answer(body))
    peer, empty, body = socket.recv_multipart()
    print(json.dumps({"got": body.decode("latin-1")}), flush=True)
    socket.send_multipart([peer, empty, group.answer(body).encode("utf-8")])


def main():
    group = globals()["Group" + sys.argv[1]]()
    context = zmq.Context()
    socket = context.socket(group.kind)
    socket.setsockopt(zmq.LINGER, 0)
    where = sys.argv[2] if len(sys.argv) > 2 else None
    if where:
        socket.bind("tcp://" + where)
    else:
        where = "127.0.0.1:%d" % socket.bind_to_random_port("tcp://127.0.0.1")
    print(json.dumps({"address": where}), flush=True)

    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    try:
        while not done.is_set():
            if socket.poll(50):
                serve(group, socket)
    finally:
        socket.close()
        context.term()


main()
