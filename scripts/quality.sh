#!/usr/bin/env bash
# Speech quality: plays speech through two media engines over clean, lossy and jittery lines, compares what comes out with what
# went in (PESQ narrow band, ITU-T P.862.1; STOI), and writes the table in docs/benchmarks.md.
#
#   scripts/quality.sh                  about two minutes after the first build
#   scripts/quality.sh --pairs FOLDER   scores what another program recorded: FOLDER/pairs.tsv has a line for each pair,
#                                       line ⇥ direction ⇥ reference.wav ⇥ degraded.wav ⇥ remark (names within FOLDER)
#   --print                             prints the table only
#
# Needs Python 3 with venv and a C compiler; PESQ, STOI and NumPy come from PyPI into target/quality.
set -euo pipefail
cd "$(dirname "$0")/.."

pairs="" report=docs/benchmarks.md
while [ $# -gt 0 ]; do
  case "$1" in
    --pairs) pairs="${2:?--pairs needs a folder}"; shift 2 ;;
    --print) report="-"; shift ;;
    *) echo "unknown argument: $1" >&2; exit 2 ;;
  esac
done

tools="${CARGO_TARGET_DIR:-target}/quality"
if ! "$tools/bin/python" -c "import numpy, pesq, pystoi" 2>/dev/null; then
  echo "Installing pesq, pystoi and numpy into $tools (once) ..."
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet numpy pesq pystoi
fi

if [ -z "$pairs" ]; then
  pairs="$(mktemp -d)"
  trap 'rm -rf "$pairs"' EXIT
  # Speech only: a cough has no quality.
  samples=(crates/lab/samples/caller_{long,maria_1,maria_2,maria_3,tom_1,tom_2,tom_3,number,human}.wav)
  cargo run --locked --release --quiet --package callie-media --example quality -- "$pairs" "${samples[@]}"
fi
"$tools/bin/python" scripts/quality_score.py "$pairs" "$report"
