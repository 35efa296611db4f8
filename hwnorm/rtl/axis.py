"""The engine behind AXI4-Stream: elements in whole bytes, parameters and results in words of 32 bits."""

from __future__ import annotations

from typing import Any

from hwnorm.rtl.engine import Port, Stream

WORD = 32
LINE = 120  # characters


def container_bytes(stream: Stream) -> int:
    """Bytes of one element: its values of all fields, side by side."""
    return -(-sum(f.width for f in stream.fields) // 8)


def words_of(port: Port) -> int:
    return -(-port.width // WORD)


def describe(streams: list[Stream]) -> dict[str, Any]:
    """For the manifest: what a host or a bench has to know of the wrapper."""
    found: dict[str, Any] = {"beats": [], "parameters": {}, "results": []}
    packets = [s for s in streams if s.direction == "in" and not s.beats]
    for stream in streams:
        if stream.beats:
            where, offset = [], 0
            for f in stream.fields:
                where.append({"name": f.name, "offset": offset, "width": f.width, "signed": f.signed})
                offset += f.width
            about = {"prefix": _axis(stream), "stream": stream.prefix, "bytes_per_element": container_bytes(stream)}
            found["beats"].append(about | {"fields": where})
        elif stream.direction == "in":
            head = [{"name": "kind", "words": 1, "value": int(stream.prefix == "group")}] if len(packets) > 1 else []
            fields = [{"name": f.name, "words": words_of(f)} for f in stream.fields]
            found["parameters"][stream.prefix] = head + (fields or ([] if head else [{"name": "go", "words": 1}]))
        else:
            found["results"] = [{"name": f.name, "words": words_of(f), "signed": f.signed} for f in stream.fields]
    return found


def broken(text: bytes) -> bytes:
    """No line longer than LINE characters: continued behind a comma, comments as further comments."""
    return "\n".join("\n".join(_pieces(line)) for line in text.decode().split("\n")).encode()


def _pieces(line: str) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    comment = line.lstrip().startswith("//")
    pad, marks = indent + ("// " if comment else "    "), (" ",) if comment else (", ", " & ", ") ")
    found: list[str] = []
    while len(line) > LINE:
        cut = max(line.rfind(mark, len(pad) + 1, LINE - 1) + len(mark.rstrip()) for mark in marks)
        if cut <= len(pad) + 1:
            break
        found.append(line[:cut].rstrip())
        line = pad + line[cut:].lstrip()
    return [*found, line]


def frame(streams: list[Stream], lanes: int) -> dict[str, Any]:
    """What the wrapper's template is filled with."""
    inputs = [_input(s, lanes) for s in streams if s.beats and s.direction == "in"]
    outputs = [_output(s, lanes) for s in streams if s.beats and s.direction == "out"]
    tokens = [s for s in streams if s.direction == "in" and not s.beats]
    packets = [_packet(s, len(tokens) > 1) for s in tokens]
    results = next((s for s in streams if s.direction == "out" and not s.beats), None)
    words = _result_words(results) if results else []
    nets: list[dict[str, str]] = []
    connections: list[dict[str, str]] = []
    for s in streams:
        axis = _axis(s)
        for end in ("valid", "ready"):
            net = f"{axis}_t{end}" if s.beats else f"{s.prefix}_{end}"
            connections.append({"port": f"{s.prefix}_{end}", "net": net})
            if not s.beats:
                nets.append({"name": net, "range": ""})
        if s.last:
            connections.append({"port": f"{s.prefix}_last", "net": f"{axis}_tlast"})
        if s.keep:
            connections.append({"port": f"{s.prefix}_keep", "net": f"{s.prefix}_keep"})
            nets.append({"name": f"{s.prefix}_keep", "range": f"[{lanes - 1}:0] "})
        for f in s.fields:
            held = s.direction == "in" and not s.beats
            connections.append({"port": f.signal, "net": f"{f.signal}_held" if held else f.signal})
            if not held:
                nets.append({"name": f.signal, "range": _range(f.width * f.lanes)})
    return {
        "inputs": inputs,
        "outputs": outputs,
        "packets": packets,
        "results": bool(results),
        "result_words": words,
        "result_bits": max((len(words) - 1).bit_length(), 1),
        "index_bits": max([1, *(p["last"].bit_length() for p in packets)]),
        "container": container_bytes(next(s for s in streams if s.beats and s.direction == "in")),
        "wires": nets,
        "connections": connections,
    }


def _axis(stream: Stream) -> str:
    return ("s_axis" if stream.direction == "in" else "m_axis") + stream.prefix.removeprefix("in").removeprefix("out")


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _beat(stream: Stream, lanes: int) -> dict[str, Any]:
    size = container_bytes(stream) * lanes
    return {"prefix": stream.prefix, "axis": _axis(stream), "bytes": size, "bits": 8 * size}


def _input(stream: Stream, lanes: int) -> dict[str, Any]:
    each, axis = container_bytes(stream), _axis(stream)
    fields, offset = [], 0
    for f in stream.fields:
        lows = [8 * each * lane + offset for lane in reversed(range(lanes))]
        parts = [f"{axis}_tdata[{low + f.width - 1}:{low}]" for low in lows]
        fields.append({"signal": f.signal, "parts": parts})
        offset += f.width
    keep = [f"{axis}_tkeep[{each * lane}]" for lane in reversed(range(lanes))] if stream.keep else []
    return _beat(stream, lanes) | {"fields": fields, "keep": keep}


def _output(stream: Stream, lanes: int) -> dict[str, Any]:
    """Each element's fields, extended by their own sign where they are alone in their bytes, else by zeros."""
    each = container_bytes(stream)
    parts: list[str] = []
    for lane in reversed(range(lanes)):
        spare = 8 * each - sum(f.width for f in stream.fields)
        if spare:
            top = stream.fields[-1]
            bit = f"{top.signal}[{top.width * (lane + 1) - 1}]" if top.width * top.lanes > 1 else top.signal
            parts.append(f"{{{spare}{{{bit if top.signed else chr(49) + chr(39) + 'b0'}}}}}")
        for f in reversed(stream.fields):
            whole = f.signal if f.width * f.lanes == 1 else f"{f.signal}[{f.width * (lane + 1) - 1}:{f.width * lane}]"
            parts.append(whole)
    keep = [
        f"{{{each}{{{f'{stream.prefix}_keep[{lane}]' if stream.keep else chr(49) + chr(39) + 'b1'}}}}}"
        for lane in reversed(range(lanes))
    ]
    return _beat(stream, lanes) | {"parts": parts, "keep": keep}


def _packet(stream: Stream, several: bool) -> dict[str, Any]:
    """Which word goes where. A packet without fields is one word that says no more than: here is a group."""
    index = int(several)
    words = []
    for f in stream.fields:
        for part in range(words_of(f)):
            bits = min(WORD, f.width - WORD * part)
            low = WORD * part
            target = f"{f.signal}_held" + (f"[{low + bits - 1}:{low}]" if words_of(f) > 1 else "")
            words.append({"index": index, "target": target, "bits": bits})
            index += 1
    last = max(index - 1, 0)
    is_group = stream.prefix == "group"
    mine = (" & param_group" if is_group else " & ~param_group") if several else ""
    early = mine
    if several and not words:  # the first word is the whole packet
        early = " & s_axis_param_tdata[0]" if is_group else " & ~s_axis_param_tdata[0]"
    return {
        "prefix": stream.prefix,
        "fields": [{"name": f.name, "width": f.width} for f in stream.fields],
        "words": words,
        "last": last,
        "condition": mine,
        "condition_word": early,
    }


def _result_words(stream: Stream) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for f in stream.fields:
        for part in range(words_of(f)):
            low, bits = WORD * part, min(WORD, f.width - WORD * part)
            chosen = f"{f.signal}[{low + bits - 1}:{low}]" if f.width > 1 else f.signal
            sign = f"{f.signal}[{f.width - 1}]" if f.width > 1 else f.signal
            spare = WORD - bits
            value = (
                f"{{ {{{spare}{{{sign if f.signed else chr(49) + chr(39) + 'b0'}}}}}, {chosen} }}" if spare else chosen
            )
            found.append({"index": len(found), "value": value})
    return found
