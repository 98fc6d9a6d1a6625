#!/usr/bin/env bash
# msgspec 0.22.0: what json.dumps writes, msgspec may not read; and its encoder's error is none of msgspec's.
#
# Seen: a name that is not UTF-8, as os.listdir returns it (surrogateescape), goes through json.dumps and json.loads
# unchanged. msgspec.json.encode raises UnicodeEncodeError for it, which is no MsgspecError, and msgspec.json.decode
# refuses what json.dumps has written. nan and inf are encoded as null without a word, so a list of floats cannot be
# read back: "Expected `float`, got `null`". Expected were an EncodeError, and that what is written can be read.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing msgspec 0.22.0 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >round.py <<'END'
import json
import os

import msgspec

NAME = os.fsdecode(b"ens\xff")


def show(what, ask):
    try:
        print(f"{what:34} {ask()!r}")
    except Exception as error:
        kind = "a" if isinstance(error, msgspec.MsgspecError) else "no"
        print(f"{what:34} {type(error).__name__}, {kind} MsgspecError: {error}")


show("json.dumps", lambda: json.dumps(NAME))
show("json.loads of that", lambda: json.loads(json.dumps(NAME)))
show("msgspec.json.encode", lambda: msgspec.json.encode(NAME))
show("msgspec.json.decode of json.dumps", lambda: msgspec.json.decode(json.dumps(NAME)))
show("msgspec.json.encode of nan", lambda: msgspec.json.encode([float("nan")]))
show("msgspec.json.decode of that", lambda: msgspec.json.decode(b"[null]", type=list[float]))
END
venv/bin/python round.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what msgspec 0.22.0 did" >&2; exit 1; }
json.dumps                         '"ens\\udcff"'
json.loads of that                 'ens\udcff'
msgspec.json.encode                UnicodeEncodeError, no MsgspecError: 'utf-8' codec can't encode character '\udcff' in position 3: surrogates not allowed
msgspec.json.decode of json.dumps  DecodeError, a MsgspecError: JSON is malformed: invalid utf-16 surrogate pair (byte 10)
msgspec.json.encode of nan         b'[null]'
msgspec.json.decode of that        ValidationError, a MsgspecError: Expected `float`, got `null` - at `$[0]`
END
