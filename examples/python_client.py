#!/usr/bin/env python3
"""A client of zgroup (protocol zg2) in Python: joins a group, sends texts, follows it.

Written from PROTOCOL.md alone, over python3-zmq and python3-cryptography:

    python3 python_client.py HOST:PORT NAME follow [COUNT]   # prints entries as JSON lines
    python3 python_client.py HOST:PORT NAME send TEXT …      # prints the seq of each text

The group's key is printed at the start, to be compared; --key KEY refuses any other.
"""
import argparse, base64, hashlib, hmac, json, os, struct, sys, time
import zmq
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

RAW = (ser.Encoding.Raw, ser.PublicFormat.Raw)
NAME = b"Noise_NN_25519_ChaChaPoly_SHA256"


def b64(data): return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
def unb64(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def sha(data): return hashlib.sha256(data).digest()
def mac(key, data): return hmac.new(key, data, hashlib.sha256).digest()
def nonce(counter): return bytes(4) + struct.pack("<Q", counter)


def uuid8(text):
    raw = bytearray(sha(text.encode())[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80
    h = raw.hex()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def hkdf(chain, data):
    secret = mac(chain, data)
    first = mac(secret, b"\x01")
    return first, mac(secret, first + b"\x02")


class Client:
    def __init__(self, address, name, expected=None):
        self.name, self.expected, self.last = name, expected, 0
        self.identity = Ed25519PrivateKey.generate()
        self.key = b64(self.identity.public_key().public_bytes(*RAW))
        self.user = uuid8(f"zgroup user 1\n{self.key}")
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 500)
        self.socket.connect(f"tcp://{address}")
        self.ids, self.feed_keys, self.feed_seen, self.frames = 0, {}, {}, []
        self.handshake()

    def receive(self, timeout=10):
        if not self.socket.poll(int(timeout * 1000)):
            raise SystemExit("FAILED: no answer")
        magic, packet = self.socket.recv_multipart()
        assert magic == b"zg2"
        return packet[0], packet[1:]

    def handshake(self):
        ephemeral = X25519PrivateKey.generate()
        e = ephemeral.public_key().public_bytes(*RAW)
        h = sha(sha(NAME + b"zg2") + e)  # the name is 32 bytes long, so it is the first h itself
        h = sha(h)  # the empty payload: no ticket
        self.socket.send_multipart([b"zg2", b"\x01" + e])
        kind, answer = self.receive()
        if kind != 2:
            raise SystemExit(f"FAILED: refused, {answer.decode()}")
        theirs, sealed = answer[:32], answer[32:]
        h = sha(h + theirs)
        chain, key = hkdf(NAME, ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs)))
        said = json.loads(ChaCha20Poly1305(key).decrypt(nonce(0), sealed, h))
        self.recognize(said["group"], said["sig"], f"zgroup server 2\n{b64(h)}")
        h = sha(h + sealed)
        ours, other = hkdf(chain, b"")
        self.out, self.into, self.sent, self.got = ChaCha20Poly1305(ours), ChaCha20Poly1305(other), 0, 0
        sig = b64(self.identity.sign(f"zgroup proof 2\n{b64(h)}".encode()))
        self.ask("prove", key=self.key, name=self.name, sig=sig)

    def recognize(self, record, sig, text):
        key = Ed25519PublicKey.from_public_bytes(unb64(record["key"]))
        key.verify(unb64(sig), text.encode())
        fields = [record[f] for f in "id name access address key nonce version expires".split()]
        key.verify(unb64(record["sig"]), "\n".join(["zgroup record 2", *map(str, fields)]).encode())
        assert record["id"] == uuid8(f"zgroup group 1\n{record['key']}\n{record['name']}\n{record['nonce']}")
        if self.expected and self.expected != record["key"]:
            raise SystemExit(f"FAILED: another group answers there, its key is {record['key']}")
        self.group, self.group_name, self.group_key = record["id"], record["name"], record["key"]

    def step(self, timeout=10):
        """Takes one packet: a reply is returned, a feed frame is kept in `frames`."""
        kind, data = self.receive(timeout)
        if kind == 4:
            generation, counter = struct.unpack(">IQ", data[:12])
            if generation in self.feed_keys and counter > self.feed_seen.get(generation, -1):
                text = self.feed_keys[generation].decrypt(nonce(counter), data[12:], b"\x04" + data[:12])
                self.feed_seen[generation] = counter
                self.frames.append(json.loads(text))
            return None
        if kind != 3:
            raise SystemExit("FAILED: the session has ended")
        said = json.loads(self.into.decrypt(nonce(self.got), data, b""))
        self.got += 1
        if said.get("push") == "feed":
            self.feed_keys[said["generation"]] = ChaCha20Poly1305(unb64(said["key"]))
            return None
        return said

    def ask(self, op, **fields):
        self.ids += 1
        text = json.dumps({"id": self.ids, "op": op, **fields}).encode()
        self.socket.send_multipart([b"zg2", b"\x03" + self.out.encrypt(nonce(self.sent), text, b"")])
        self.sent += 1
        while (reply := self.step()) is None or reply["id"] != self.ids:
            pass
        if "error" in reply:
            raise SystemExit(f"FAILED: {reply['error']['message']}")
        return reply["ok"]

    def send(self, texts):
        time_ms, messages = f"{int(time.time() * 1000):012x}", []
        for i, text in enumerate(texts):
            r = os.urandom(8).hex()
            messages.append([f"{time_ms[:8]}-{time_ms[8:]}-7{i:03x}-8{r[1:4]}-{r[4:]}", text])
        hashes = [sha(f"{mid}\n{text}".encode()).hex() for mid, text in messages]
        signed = "\n".join(["zgroup messages 1", self.group, self.user, *hashes])
        runs = self.ask("send", messages=messages, sig=b64(self.identity.sign(signed.encode())))["accepted"]
        return [run["from"] + i for run in runs for i in range(run["count"])]

    def follow(self):
        """Every batch from seq 1 on, in order, once: from the log up to the head, then live."""
        while True:
            feed = self.ask("subscribe")
            self.feed_keys[feed["generation"]] = ChaCha20Poly1305(unb64(feed["key"]))
            behind, heard = True, time.monotonic()
            while time.monotonic() - heard < 3:  # nothing of the feed for so long: subscribe again
                while behind:
                    page = self.ask("read", after=self.last)
                    behind = page["more"]
                    yield from self.deliver(page["batches"])
                if not self.frames and self.socket.poll(1000):
                    self.step()
                for frame in self.frames:
                    heard = time.monotonic()
                    batches = frame.get("batches", [])
                    behind |= frame.get("head", 0) > self.last
                    behind |= bool(batches) and batches[0]["first"] > self.last + 1
                    if not behind:
                        yield from self.deliver(batches)
                self.frames = []

    def deliver(self, batches):
        for batch in batches:
            if batch["first"] + batch["count"] - 1 > self.last:
                self.last = batch["first"] + batch["count"] - 1
                yield batch


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("address")
    parser.add_argument("name")
    parser.add_argument("what", choices=["follow", "send"])
    parser.add_argument("rest", nargs="*", help="texts to send, or how many entries to follow")
    parser.add_argument("--key", help="the group's key, when it is known")
    given = parser.parse_args()
    client = Client(given.address, given.name, given.key)
    print(f"group {client.group_name}, key {client.group_key}", file=sys.stderr)
    client.ask("join")
    if given.what == "send":
        return print(*client.send(given.rest), sep="\n")
    left = int(given.rest[0]) if given.rest else -1
    for batch in client.follow():
        texts = [text for _, text in batch.get("messages", [])] or [None]
        for i, text in enumerate(texts):
            entry = {"seq": batch["first"] + i, "kind": batch["kind"], "name": batch["name"], "text": text}
            print(json.dumps(entry, ensure_ascii=False), flush=True)
            left -= 1
            if left == 0:
                return


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
