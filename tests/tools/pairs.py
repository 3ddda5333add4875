#!/usr/bin/env python3
"""Finds the 128 pairs of bytes with which src/text/packed.rs saves most, over
all texts that the sources pack, and writes them into it. To be run when many
texts have changed; with any pairs the program is right, with these it is small."""

import collections
import pathlib
import re

sources = pathlib.Path(__file__).resolve().parents[2] / "src"
literal = r'"((?:[^"\\]|\\.)*)"'
escapes = {"n": "\n", "0": "\0", "\\": "\\", '"': '"'}


def value(text):
    text = re.sub(r"\\\n\s*", "", text)
    text = re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), text)
    return re.sub(r"\\(.)", lambda m: escapes[m[1]], text)


texts = []
for path in sorted(sources.rglob("*.rs")):
    code = path.read_text().split("#[cfg(test)]")[0]
    texts += [value(m) for m in re.findall(r"pack(?:_list)?!\(\s*" + literal, code, re.S)]
    for block in re.findall(r"^(?:steps|hints|errors|lines)! \{(.*?)^\}", code, re.S | re.M):
        texts.append("\0".join(re.findall(literal, block)))
    rows = re.findall(r"^    Opt\(" + literal, code, re.M)
    texts.append("\n".join(value(row) for row in rows))
    texts += [value(m) for m in re.findall(r"_START: &str = " + literal, code, re.S)]

sequences = [list(text.encode()) for text in texts]
before = sum(map(len, sequences))
pairs = []
while len(pairs) < 128:
    count = collections.Counter(p for s in sequences for p in zip(s, s[1:]))
    pair, saves = min(count.items(), key=lambda item: (-item[1], item[0]))
    if saves < 3:
        break
    mark = 128 + len(pairs)
    pairs.append(pair)
    for index, old in enumerate(sequences):
        new, at = [], 0
        while at < len(old):
            if tuple(old[at : at + 2]) == pair:
                new.append(mark)
                at += 2
            else:
                new.append(old[at])
                at += 1
        sequences[index] = new

table = "".join(
    {34: '\\"', 92: "\\\\", 10: "\\n", 0: "\\0"}.get(b, chr(b) if 32 <= b < 127 else f"\\x{b:02x}")
    for pair in pairs
    for b in pair
)
wrapped, line = [], ""
for piece in re.findall(r"\\x..|\\.|.", table):
    line += piece
    if len(line) > 76:
        wrapped.append(line.replace(" ", "\\x20") if line.startswith(" ") else line)
        line = ""
if line:
    wrapped.append(line.replace(" ", "\\x20") if line.startswith(" ") else line)
packed = sources / "text" / "packed.rs"
code = packed.read_text()
start = code.index("const PAIRS: &[u8] = ")
end = code.index(";\n", start)
packed.write_text(
    code[:start] + 'const PAIRS: &[u8] = b"\\\n    ' + "\\\n    ".join(wrapped) + '"' + code[end:]
)
after = sum(map(len, sequences))
print(f"{len(texts)} texts, {before} bytes, {after} packed, and {2 * len(pairs)} for the pairs")
