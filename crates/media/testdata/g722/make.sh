#!/usr/bin/env bash
# Makes the vectors of G.722 with ffmpeg, whose coder is an implementation of its own: half a second of speech, a quarter of a
# second of loud noise and a quarter of a sweep from 50 to 7,500 Hz (16-bit PCM at 16 kHz, little-endian), their codes, and the
# codes decoded.
set -euo pipefail
cd "$(dirname "$0")"
speech=../../../lab/samples/caller_maria_1.wav
ffmpeg -v error -y -ss 0.6 -t 0.5 -i "$speech" -ar 16000 -ac 1 -f s16le /tmp/g722-speech.raw
ffmpeg -v error -y -f lavfi -i "anoisesrc=r=16000:a=0.9:d=0.25:seed=7" -f s16le /tmp/g722-noise.raw
ffmpeg -v error -y -f lavfi -i "aevalsrc='0.7*sin(2*PI*(50*t+14900*t*t))':s=16000:d=0.25" -f s16le /tmp/g722-sweep.raw
cat /tmp/g722-{speech,noise,sweep}.raw > input.s16
ffmpeg -v error -y -f s16le -ar 16000 -ac 1 -i input.s16 -acodec g722 -f g722 codes.g722
ffmpeg -v error -y -f g722 -i codes.g722 -f s16le -ar 16000 -ac 1 output.s16
ffmpeg -version | head -1
