"""Reads the page in both formats with the parsers of Prometheus' own Python client, and holds one against the other.

Arguments: the file with the text format, and the file with OpenMetrics.
"""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text


def samples(parse, path):
    with open(path, encoding="utf-8", newline="") as page:
        families = list(parse(page.read()))
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{path}: twice: {key}"
            # One of the parsers gives whole numbers as such, of any size.
            found[key] = (float(sample.value), family.type)
    return families, found


_, plain = samples(text, sys.argv[1])
families, other = samples(openmetrics, sys.argv[2])
assert plain == other, {key: (plain.get(key), other.get(key)) for key in plain.keys() ^ other.keys()}
for family in families:
    for unit in ("seconds", "bytes", "days", "ratio"):
        assert (family.unit == unit) == family.name.endswith("_" + unit), (family.name, family.unit)
print(f"{len(plain)} samples agree")
