#!/usr/bin/env python3
"""Writes crates/domain/src/numbering/plan.json: what the world's numbering plans say, as far as limits of calls need it.

  python3 -m venv /tmp/numbering && /tmp/numbering/bin/pip install phonenumbers regex && /tmp/numbering/bin/python scripts/numbering.py

The facts are those of libphonenumber (Apache-2.0), by its Python edition. For each calling code: the regions, the prefixes dialled
before national and international numbers, national prefixes of premium and shared-cost services, emergency numbers, and time
zones by prefix. Patterns become prefixes: the shortest ones all of whose completions match; at seven digits what may match counts.
"""

import json
import pathlib
import random
from datetime import date

import phonenumbers
import phonenumbers.tzdata
import regex
from phonenumbers.phonemetadata import PhoneMetadata

LONGEST_PREFIX = 7
SAMPLES = 24
OUT = pathlib.Path(__file__).parent.parent / "crates/domain/src/numbering/plan.json"
# Satellites, international networks, universal personal numbers, shared cost and premium rate: the whole code.
COSTLY_CODES = {
    "808": "shared cost",
    "870": "satellite",
    "878": "personal numbers",
    "881": "satellite",
    "882": "international networks",
    "883": "international networks",
    "888": "disaster relief",
    "979": "premium rate",
}


def prefixes(pattern):
    matcher = regex.compile(pattern)

    def is_full(prefix):
        matched = False
        for length in range(len(prefix), 14):
            tails = ("".join(random.choice("0123456789") for _ in range(length - len(prefix))) for _ in range(SAMPLES))
            hits = sum(matcher.fullmatch(prefix + tail) is not None for tail in tails)
            if hits == SAMPLES:
                matched = True
            elif hits:
                return False
        return matched

    def walk(prefix):
        if not matcher.fullmatch(prefix, partial=True):
            return
        if prefix and (len(prefix) == LONGEST_PREFIX or is_full(prefix)):
            yield prefix
            return
        for digit in "0123456789":
            yield from walk(prefix + digit)

    return set(walk(""))


def shortest(found):
    """Without what a shorter one covers; ten siblings become their parent."""
    kept = set()
    for prefix in sorted(found, key=len):
        if not any(prefix[:length] in kept for length in range(1, len(prefix))):
            kept.add(prefix)
    while True:
        parents = {prefix[:-1] for prefix in kept if len(prefix) > 1}
        whole = [parent for parent in parents if all(parent + digit in kept for digit in "0123456789")]
        if not whole:
            return sorted(kept)
        for parent in whole:
            kept = {prefix for prefix in kept if not prefix.startswith(parent)} | {parent}


def zones_of(code):
    """Zones by prefix of the whole number, without what a shorter prefix says already."""
    table = {}
    data = phonenumbers.tzdata.TIMEZONE_DATA
    for prefix in sorted((p for p in data if p.startswith(code)), key=lambda p: (len(p), p)):
        zones = [zone for zone in data[prefix] if zone != "Etc/Unknown"]
        parent = next((table[prefix[:n]] for n in range(len(prefix) - 1, 0, -1) if prefix[:n] in table), None)
        if zones and zones != parent and is_of(prefix, code):
            table[prefix] = zones
    return table


def is_of(prefix, code):
    """Codes have no common beginnings; a prefix that is shorter than its code belongs to nobody."""
    return len(prefix) >= len(code)


def main():
    random.seed(1)
    plan = {}
    for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        code = str(code)
        entry = {"regions": [region for region in regions if region != "001"]}
        costly, emergency = set(), set()
        for region in regions:
            if region == "001":
                metadata = PhoneMetadata.metadata_for_nongeo_region(int(code))
            else:
                metadata = PhoneMetadata.metadata_for_region(region)
            short = PhoneMetadata.short_metadata_for_region(region)
            # Of the main region: a small neighbour's number may be anybody's extension elsewhere.
            if short is not None and region == regions[0]:
                if short.emergency and short.emergency.national_number_pattern:
                    emergency |= numbers(short.emergency.national_number_pattern)
            if metadata is None:
                continue
            if region == regions[0]:
                entry["trunk"] = metadata.national_prefix or ""
                prefix = metadata.preferred_international_prefix or metadata.international_prefix or ""
                plain = regex.match(r"\d*(~\d+)?", prefix).group(0)
                entry["international"] = plain.replace("~", "")
            if metadata.premium_rate and metadata.premium_rate.national_number_pattern:
                costly |= prefixes(metadata.premium_rate.national_number_pattern)
        if code in COSTLY_CODES:
            entry["costly_code"] = COSTLY_CODES[code]
        elif costly:
            entry["costly"] = shortest(costly)
        if emergency:
            entry["emergency"] = sorted(emergency)
        zones = zones_of(code)
        if zones:
            entry["zones"] = zones
        plan[code] = {key: value for key, value in entry.items() if value not in ("", [])}
    document = {
        "source": f"libphonenumber {phonenumbers.__version__} (Apache-2.0), by scripts/numbering.py",
        "date": date.today().isoformat(),
        "codes": plan,
    }
    lines = ",\n".join(f"    {json.dumps(code)}: {json.dumps(entry)}" for code, entry in plan.items())
    head = ",\n".join(f"  {json.dumps(key)}: {json.dumps(document[key])}" for key in ("source", "date"))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("{\n" + head + ',\n  "codes": {\n' + lines + "\n  }\n}\n")
    print(f"{OUT}: {len(plan)} codes, {OUT.stat().st_size} bytes")


def numbers(pattern):
    """The numbers of a pattern that has few of them."""
    matcher = regex.compile(pattern)

    def walk(digits):
        if matcher.fullmatch(digits):
            yield digits
        if len(digits) < 6 and matcher.fullmatch(digits, partial=True):
            for digit in "0123456789":
                yield from walk(digits + digit)

    return {number for number in walk("") if number}


if __name__ == "__main__":
    main()
