#!/usr/bin/env bash
# Speech quality through the whole server: a telephone and Gemini Live, both played by the lab, talk over clean, lossy and jittery
# lines; what each heard is compared with what the other said (PESQ narrow band, ITU-T P.862.1; STOI). Writes the table in
# docs/benchmarks.md.
#
#   scripts/quality.sh                  about two minutes after the first build
#   scripts/quality.sh --seeds "4 5"    other losses and delays: a call over each line for each seed (1, 2 and 3 if not given)
#   scripts/quality.sh --pairs FOLDER   scores what another program recorded: FOLDER/pairs.tsv has a line for each pair,
#                                       line ⇥ direction ⇥ reference.wav ⇥ degraded.wav ⇥ remark (names within FOLDER);
#                                       pairs of the same line and direction share a row
#   scripts/quality.sh --engines        through two media engines alone; printed, not written
#   scripts/quality.sh --codec NAME     the same with pcmu, pcma, g722 or opus; the latter two are scored as wide band (P.862.2)
#   --print                             prints the table only
#
# Ends with status 1 when a call over the clean line scores below 4.1. Needs Python 3 with venv and a C compiler; PESQ, STOI and
# NumPy come from PyPI into target/quality.
set -euo pipefail
cd "$(dirname "$0")/.."

pairs="" seeds="" engines="" codec=pcmu band=nb report=docs/benchmarks.md
while [ $# -gt 0 ]; do
  case "$1" in
    --pairs) pairs="${2:?--pairs needs a folder}"; shift 2 ;;
    --seeds) seeds="${2:?--seeds needs numbers}"; shift 2 ;;
    --engines) engines=yes report="-"; shift ;;
    --codec) codec="${2:?--codec needs a name}" engines=yes report="-"; shift 2 ;;
    --print) report="-"; shift ;;
    *) echo "unknown argument: $1" >&2; exit 2 ;;
  esac
done

case "$codec" in g722 | opus) band=wb ;; esac

tools="${CARGO_TARGET_DIR:-target}/quality"
if ! "$tools/bin/python" -c "import numpy, pesq, pystoi" 2>/dev/null; then
  echo "Installing pesq, pystoi and numpy into $tools (once) ..."
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet numpy pesq pystoi
fi

if [ -z "$pairs" ]; then
  pairs="$(mktemp -d)"
  trap 'rm -rf "$pairs"' EXIT
  if [ -n "$engines" ]; then
    # Speech only: a cough has no quality.
    samples=(crates/lab/samples/caller_{long,maria_1,maria_2,maria_3,tom_1,tom_2,tom_3,number,human}.wav)
    cargo run --locked --release --quiet --package callie-media --example line_quality -- "$codec" "$pairs" "${samples[@]}"
  else
    # shellcheck disable=SC2086 # several seeds are several arguments
    cargo run --locked --release --quiet --package callie-server --example quality -- "$pairs" $seeds
  fi
fi
"$tools/bin/python" scripts/quality_score.py "$pairs" "$report" "$band"
