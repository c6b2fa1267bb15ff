"""A user of dialect 002, written from its table in PROTOCOL.md: a REQ client.

Reads one JSON object a line: {"to": "HOST:PORT", "json": OBJECT} or {"to": ..., "text": TEXT}, sends
it as one frame, and prints {"reply": TEXT} or {"reply": null} when nothing comes within "ms"
(default 5,000).
"""

import json
import sys

import zmq


def ask(context, address, body, ms):
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, ms)
    socket.connect("tcp://" + address)
    try:
        socket.send(body)
        frames = socket.recv_multipart()
        return frames[0].decode("utf-8") if len(frames) == 1 else None
    except zmq.Again:
        return None
    finally:
        socket.close()


def main():
    context = zmq.Context()
    for line in sys.stdin:
        wanted = json.loads(line)
        text = json.dumps(wanted["json"]) if "json" in wanted else wanted["text"]
        reply = ask(context, wanted["to"], text.encode("utf-8"), wanted.get("ms", 5000))
        print(json.dumps({"reply": reply}), flush=True)
    context.term()


main()
