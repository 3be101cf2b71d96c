"""An xDS client on gRPC's C core that does as it is told.

One JSON object a line on standard input, one a line on standard output for each that has an answer:

  {"open": "sotw" | "delta", "target": "127.0.0.1:1", "stream": 1}
  {"send": {"type_url": …, "nonce": …, …}, "stream": 1}
  {"raw": "hexadecimal digits of a message", "stream": 1}
  {"next": seconds, "stream": 1}      answers {"response": {…}}, {"end": {"code": 3, "message": …}} or {"silence": true}
  {"close": "half" | "all", "stream": 1}

The messages are written and read here, field by field, so that nothing is shared with the server's own encoding.
"""

import json
import queue
import sys
import threading

import grpc

SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
METHODS = {"sotw": "StreamAggregatedResources", "delta": "DeltaAggregatedResources"}


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value if value else b""


def fields(number, values):
    return b"".join(varint(number << 3 | 2) + varint(len(v.encode())) + v.encode() for v in values)


def parse(data):
    """Field number to the list of its values."""
    found, at = {}, 0

    def number():
        nonlocal at
        result, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 == 2:
            length = number()
            value = data[at : at + length]
            assert len(value) == length, "the message ends within a field"
            at += length
        else:
            raise AssertionError(f"wire type {key & 7} is not expected in a response")
        found.setdefault(key >> 3, []).append(value)
    return found


def first(message, number):
    return message.get(number, [b""])[0].decode()


def request(variant, ask):
    node = ask.get("node")
    node = field(1, node) + field(2, "c") + field(6, "driver") if node is not None else None
    error = ask.get("error")
    error = varint(1 << 3) + varint(3) + field(2, error) if error is not None else None
    if variant == "sotw":
        return (
            field(1, ask.get("version", ""))
            + (field(2, node) if node else b"")
            + fields(3, ask.get("names", []))
            + field(4, ask["type_url"])
            + field(5, ask.get("nonce", ""))
            + (field(6, error) if error else b"")
        )
    initial = ask.get("initial", {}).items()
    return (
        (field(1, node) if node else b"")
        + field(2, ask["type_url"])
        + fields(3, ask.get("names", []))
        + fields(4, ask.get("unsubscribe", []))
        + b"".join(field(5, field(1, name) + field(2, version)) for name, version in initial)
        + field(6, ask.get("nonce", ""))
        + (field(7, error) if error else b"")
    )


def response(variant, data):
    message = parse(data)
    resources = []
    for item in message.get(2, []):
        item = parse(item)
        any_ = parse(item[2][0]) if variant == "delta" else item
        resources.append(
            {
                "name": first(item, 3) if variant == "delta" else None,
                "version": first(item, 1) if variant == "delta" else None,
                "type_url": first(any_, 1),
                "length": len(any_.get(2, [b""])[0]),
                # The start says what it is; some are megabytes long.
                "value": any_.get(2, [b""])[0][:100].decode("latin-1"),
                # The fields of a resource that a lifetime would be in.
                "ttl": variant == "delta" and 6 in item,
            }
        )
    return {
        "type_url": first(message, 4),
        "nonce": first(message, 5),
        "version": first(message, 1),
        "resources": resources,
        "removed": [name.decode() for name in message.get(6, [])] if variant == "delta" else [],
    }


class Stream:
    def __init__(self, variant, target):
        self.variant = variant
        self.requests = queue.Queue()
        self.responses = queue.Queue()
        self.channel = grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
        method = self.channel.stream_stream(SERVICE + METHODS[variant])
        self.call = method(iter(self.requests.get, None), wait_for_ready=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for data in self.call:
                self.responses.put({"response": response(self.variant, data)})
            end = (self.call.code(), self.call.details())
        except grpc.RpcError as error:
            end = (error.code(), error.details())
        self.responses.put({"end": {"code": end[0].value[0], "message": end[1] or ""}})

    def next(self, seconds):
        try:
            answer = self.responses.get(timeout=seconds)
        except queue.Empty:
            return {"silence": True}
        if "end" in answer:
            self.responses.put(answer)
        return answer


streams = {}
for line in sys.stdin:
    command = json.loads(line)
    name = command["stream"]
    if "open" in command:
        streams[name] = Stream(command["open"], command["target"])
    elif "send" in command:
        streams[name].requests.put(request(streams[name].variant, command["send"]))
    elif "raw" in command:
        streams[name].requests.put(bytes.fromhex(command["raw"]))
    elif "next" in command:
        print(json.dumps(streams[name].next(command["next"])), flush=True)
    elif command["close"] == "half":
        streams[name].requests.put(None)
    else:
        streams.pop(name).channel.close()
