"""Scores pairs of recordings and writes the table between the markers of a Markdown file. See quality.sh, which calls it.

    quality_score.py FOLDER REPORT [wb]      REPORT may be - to print only; wb: PESQ of the wide band (P.862.2)
"""

import pathlib
import sys
import wave

import numpy as np
import scipy.signal
from pesq import pesq
from pystoi import stoi

WIDE = "wb" in sys.argv[3:]
RATE = 16_000 if WIDE else 8_000
# PESQ is defined for pieces of speech of about this length, in seconds.
SHORTEST, LONGEST = 4, 8
# How far a piece may have moved against the rest, because a jitter buffer has changed its delay, in seconds.
SLACK = 0.3
# What a call over a clean line must reach; Opus itself has 4.28 of the wide band.
CLEAN = 4.0 if WIDE else 4.1
BEGIN, END = "<!-- quality:begin -->", "<!-- quality:end -->"


def read(path):
    """The first channel at RATE, by a filter far longer than any of ours."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")[:: file.getnchannels()]
        rate = file.getframerate()
    if rate == RATE:
        return samples.astype(float)
    up, down = RATE // np.gcd(rate, RATE), rate // np.gcd(rate, RATE)
    taps = scipy.signal.firwin(2 * 128 * max(up, down) + 1, 0.98 / max(up, down), window=("kaiser", 9))
    return scipy.signal.resample_poly(samples.astype(float), up, down, window=taps)


def lag(reference, degraded):
    """By how many samples `degraded` is behind `reference`."""
    correlation = scipy.signal.correlate(degraded, reference, method="fft")
    return int(np.argmax(correlation)) - (len(reference) - 1)


def pieces(reference):
    """Cuts into pieces of 4 to 8 s, each at the widest pause there is: pairs of first and last sample."""
    frame = RATE // 50
    level = np.sqrt(np.mean(reference[: len(reference) // frame * frame].reshape(-1, frame) ** 2, axis=1))
    quiet = level < 0.02 * level.max()
    widths, run = np.zeros(len(quiet)), 0
    for i, is_quiet in enumerate(quiet):
        run = run + 1 if is_quiet else 0
        widths[i - run // 2] = max(run, widths[i - run // 2])
    cuts, start = [], 0
    while (len(quiet) - start) * frame > LONGEST * RATE:
        earliest, latest = start + SHORTEST * 50, start + LONGEST * 50
        cut = earliest + int(np.argmax(widths[earliest:latest]))
        cuts.append((start * frame, cut * frame))
        start = cut
    cuts.append((start * frame, len(quiet) * frame))
    return [(a, b) for a, b in cuts if (b - a) >= 2 * RATE]


def score(reference, degraded):
    """PESQ and STOI of each piece."""
    overall = lag(reference, degraded)
    margin = int(SLACK * RATE)
    degraded = np.pad(degraded, (margin + max(0, -overall), margin + len(reference)))
    origin = overall + margin + max(0, -overall)
    scores = []
    for begin, end in pieces(reference):
        ours = reference[begin:end]
        around = degraded[origin + begin - margin : origin + end + margin]
        shift = int(np.clip(lag(ours, around), 0, 2 * margin))
        theirs = around[shift : shift + len(ours)]
        scores.append((pesq(RATE, ours / 32768, theirs / 32768, "wb" if WIDE else "nb"), stoi(ours, theirs, RATE)))
    return np.array(scores)


def table(folder):
    """The rows of the table, and the clean calls that are not as good as they must be."""
    calls, faults = {}, []
    for row in (folder / "pairs.tsv").read_text().splitlines():
        line, direction, reference, degraded, *remark = row.split("\t")
        scores = score(read(folder / reference), read(folder / degraded))
        calls.setdefault((line, direction), []).append((scores, " ".join(remark)))
        mean = scores[:, 0].mean()
        if line == "clean" and not mean >= CLEAN:
            faults.append(f"{line}, {direction}: PESQ {mean:.2f} is below {CLEAN}")
    rows = ["| line | direction | PESQ, mean of each call | worst piece | STOI | remarks |", "|---|---|---|---|---|---|"]
    for (line, direction), runs in calls.items():
        means = [scores[:, 0].mean() for scores, _ in runs]
        worst = min(scores[:, 0].min() for scores, _ in runs)
        intelligible = np.mean([scores[:, 1].mean() for scores, _ in runs])
        remarks = "; ".join(dict.fromkeys(remark for _, remark in runs if remark))
        rows.append(f"| {line} | {direction} | {spread(means)} | {worst:.2f} | {intelligible:.3f} | {remarks} |")
    return "\n".join(rows), faults


def spread(values):
    least, most = f"{min(values):.2f}", f"{max(values):.2f}"
    return least if least == most else f"{least}–{most}"


def insert(report, text):
    document = report.read_text() if report.exists() else ""
    block = f"{BEGIN}\n{text}\n{END}"
    if BEGIN in document and END in document:
        before, after = document.split(BEGIN, 1)[0], document.split(END, 1)[1]
        document = before + block + after
    else:
        title = (
            "## Speech quality\n\n"
            "PESQ narrow band (P.862.1), by `scripts/quality.sh`.\n\n"
        )
        document = document.rstrip("\n") + "\n\n" + title + block + "\n"
    report.write_text(document)


def main():
    folder, report = pathlib.Path(sys.argv[1]), sys.argv[2]
    text, faults = table(folder)
    print(text)
    if report != "-":
        insert(pathlib.Path(report), text)
    if faults:
        sys.exit("\n".join(faults))


main()
