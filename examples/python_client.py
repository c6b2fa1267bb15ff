#!/usr/bin/env python3
"""A client of zgroup from PROTOCOL.md alone: HOST:PORT NAME follow, or HOST:PORT NAME send TEXT …
$ZGROUP_KEY, where it is set, is the only key of a group that it talks to."""
import base64, hashlib, hmac, json, os, struct, sys, time
import zmq
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
RAW = (ser.Encoding.Raw, ser.PublicFormat.Raw)
NOISE = b"Noise_NN_25519_ChaChaPoly_SHA256"  # 32 bytes, so it is the first hash itself

def b64(data): return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
def unb64(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def sha(data): return hashlib.sha256(data).digest()
def nonce(counter): return bytes(4) + struct.pack("<Q", counter)

def uuid8(*lines):
    raw = bytearray(sha("\n".join(lines).encode())[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80
    h = raw.hex()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))

def hkdf(chain, data):
    secret = hmac.digest(chain, data, "sha256")
    first = hmac.digest(secret, b"\x01", "sha256")
    return first, hmac.digest(secret, first + b"\x02", "sha256")

class Client:
    def __init__(self, address, name, expected=None):
        self.expected, self.last, self.ids = expected, 0, 0
        self.feed_keys, self.feed_seen, self.frames = {}, {}, []
        self.identity = ed25519.Ed25519PrivateKey.generate()
        self.key = b64(self.identity.public_key().public_bytes(*RAW))
        self.user = uuid8("zgroup user 1", self.key)
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.connect(f"tcp://{address}")
        transcript = self.handshake()
        self.ask("prove", key=self.key, name=name, sig=self.sign(f"zgroup proof 2\n{transcript}"))

    def sign(self, text): return b64(self.identity.sign(text.encode()))

    def receive(self):
        assert self.socket.poll(10_000), "no answer"
        _, packet = self.socket.recv_multipart()
        return packet[0], packet[1:]

    def handshake(self):
        private = x25519.X25519PrivateKey.generate()
        e = private.public_key().public_bytes(*RAW)
        self.socket.send_multipart([b"zg2", b"\x01" + e])
        kind, answer = self.receive()
        theirs, sealed = answer[:32], answer[32:]
        assert kind == 2, f"refused: {answer}"
        # The prologue, our e, an empty payload (no ticket), their e; then the key of both.
        h = sha(sha(sha(sha(NOISE + b"zg2") + e)) + theirs)
        public = x25519.X25519PublicKey.from_public_bytes(theirs)
        chain, key = hkdf(NOISE, private.exchange(public))
        said = json.loads(ChaCha20Poly1305(key).decrypt(nonce(0), sealed, h))
        self.recognize(said["group"], said["sig"], f"zgroup server 2\n{b64(h)}")
        ours, other = hkdf(chain, b"")
        self.out, self.into = ChaCha20Poly1305(ours), ChaCha20Poly1305(other)
        self.sent = self.got = 0
        return b64(sha(h + sealed))

    def recognize(self, record, sig, text):
        key = ed25519.Ed25519PublicKey.from_public_bytes(unb64(record["key"]))
        key.verify(unb64(sig), text.encode())
        fields = "id name access address key nonce version expires server".split()
        own = ["zgroup record " + "23"["server" in record], *(record[f] for f in fields if f in record)]
        key.verify(unb64(record["sig"]), "\n".join(map(str, own)).encode())
        own_id = uuid8("zgroup group 1", record["key"], record["name"], record["nonce"])
        if record["id"] != own_id or self.expected not in (None, record["key"]):
            raise SystemExit(f"FAILED: another group answers there, its key is {record['key']}")
        self.group, self.group_name, self.group_key = own_id, record["name"], record["key"]

    def step(self):
        """Takes one packet: a reply is returned, a feed frame is kept in `frames`."""
        kind, data = self.receive()
        if kind == 4:
            generation, counter = struct.unpack(">IQ", data[:12])
            if generation in self.feed_keys and counter > self.feed_seen.get(generation, -1):
                key, around = self.feed_keys[generation], b"\x04" + data[:12]
                self.frames.append(json.loads(key.decrypt(nonce(counter), data[12:], around)))
                self.feed_seen[generation] = counter
            return None
        assert kind == 3, "the session has ended"
        said = json.loads(self.into.decrypt(nonce(self.got), data, b""))
        self.got += 1
        if said.get("push") != "feed":
            return said
        self.feed_keys[said["generation"]] = ChaCha20Poly1305(unb64(said["key"]))

    def ask(self, op, **fields):
        self.ids += 1
        text = json.dumps({"id": self.ids, "op": op, **fields}).encode()
        sealed = self.out.encrypt(nonce(self.sent), text, b"")
        self.socket.send_multipart([b"zg2", b"\x03" + sealed])
        self.sent += 1
        while (reply := self.step()) is None or reply["id"] != self.ids: pass
        assert "ok" in reply, reply["error"]["message"]
        return reply["ok"]

    def send(self, texts):
        ms, messages = f"{int(time.time() * 1000):012x}", []
        for i, text in enumerate(texts):
            r = os.urandom(8).hex()
            messages.append([f"{ms[:8]}-{ms[8:]}-7{i:03x}-8{r[1:4]}-{r[4:]}", text])
        hashes = [sha(f"{mid}\n{text}".encode()).hex() for mid, text in messages]
        sig = self.sign("\n".join(["zgroup messages 1", self.group, self.user, *hashes]))
        runs = self.ask("send", messages=messages, sig=sig)["accepted"]
        return [run["from"] + i for run in runs for i in range(run["count"])]

    def follow(self):
        """Every batch from seq 1 on, in order, once: from the log up to the head, then live."""
        heard = float("-inf")
        while True:
            if time.monotonic() - heard > 3:  # nothing of the feed for so long: subscribe again
                feed = self.ask("subscribe")
                self.feed_keys[feed["generation"]] = ChaCha20Poly1305(unb64(feed["key"]))
                behind, heard = True, time.monotonic()
            while behind:
                page = self.ask("read", after=self.last)
                behind = page["more"]
                yield from self.deliver(page["batches"])
            if not self.frames and self.socket.poll(1000):
                self.step()
            for frame in self.frames:
                batches, heard = frame.get("batches", []), time.monotonic()
                behind |= bool(batches) and batches[0]["first"] > self.last + 1
                yield from [] if behind else self.deliver(batches)
                behind |= frame.get("head", 0) > self.last
            self.frames = []

    def deliver(self, batches):
        for batch in batches:
            end = batch["first"] + batch["count"] - 1
            if end > self.last: yield batch
            self.last = max(end, self.last)
def main():
    _, address, name, what, *texts = sys.argv
    client = Client(address, name, os.environ.get("ZGROUP_KEY"))
    print(f"group {client.group_name}, key {client.group_key}", file=sys.stderr, flush=True)
    client.ask("join")
    if what == "send":
        return print(*client.send(texts), sep="\n")
    for batch in client.follow():
        for i, (_, text) in enumerate(batch.get("messages", [(None, None)])):
            entry = {"seq": batch["first"] + i, "kind": batch["kind"], "name": batch["name"]}
            print(json.dumps({**entry, "text": text}, ensure_ascii=False), flush=True)
main()
