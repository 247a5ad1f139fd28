"""Reads dashboards with Grafana's own types and tells what is lost on the way: a key that Grafana does not know, or a
value of another type than it takes."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(before, after, path):
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after)):
            yield from lost(one, other, f"{path}[{index}]")
    elif before != after:
        yield path


register_default_plugins()
found = []
for name in sys.argv[1:]:
    before = json.loads(Path(name).read_text(encoding="utf-8"))
    after = json.loads(JSONEncoder().encode(Dashboard.from_json(before)))
    found += lost(before, after, Path(name).stem)
print("\n".join(found) or "Grafana knows every key")
sys.exit(bool(found))
